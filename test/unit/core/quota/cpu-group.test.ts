import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CpuBandwidth } from "../../../../runtime/core/quota/cpu-bandwidth.ts";
import { CpuGroup, CpuShare, divideCpus } from "../../../../runtime/core/quota/cpu-group.ts";

const all = { cpusMax: Infinity, wantedCpus: Infinity };

describe("what there is", () => {
  test.each([
    { cpus: 1, claims: [], given: [] },
    { cpus: 1, claims: [{ shares: 1024, ...all }], given: [1] },
    {
      cpus: 1,
      claims: [
        { shares: 3072, ...all },
        { shares: 1024, ...all },
      ],
      given: [0.75, 0.25],
    },
    // Who wants less leaves the rest, and who may not have more too.
    {
      cpus: 1,
      claims: [
        { shares: 1024, ...all },
        { shares: 1024, ...all, wantedCpus: 0.1 },
      ],
      given: [0.9, 0.1],
    },
    {
      cpus: 2,
      claims: [
        { shares: 9216, ...all, cpusMax: 0.5 },
        { shares: 1024, ...all },
      ],
      given: [0.5, 1.5],
    },
    {
      cpus: Infinity,
      claims: [
        { shares: 2, ...all, cpusMax: 1 },
        { shares: 1024, ...all },
      ],
      given: [1, Infinity],
    },
    {
      cpus: 1,
      claims: [
        { shares: 1024, ...all, wantedCpus: 0 },
        { shares: 2, ...all },
      ],
      given: [0, 1],
    },
  ])("of $cpus is divided by weight", ({ cpus, claims, given }) => {
    expect(divideCpus(cpus, claims).map((part) => Number(part.toFixed(6)))).toEqual(given);
  });

  test("is given whole as long as anybody wants it, to nobody more than that, and who gets less has no smaller part by weight than another", () => {
    const claim = fc.record({
      shares: fc.integer({ min: 2, max: 262_144 }),
      cpusMax: fc.double({ min: 0.01, max: 4, noNaN: true }),
      wantedCpus: fc.oneof(fc.constant(Infinity), fc.double({ min: 0, max: 4, noNaN: true })),
    });
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 8, noNaN: true }),
        fc.array(claim, { minLength: 1, maxLength: 8 }),
        (cpus, claims) => {
          const given = divideCpus(cpus, claims);
          const wishes = claims.map(({ cpusMax, wantedCpus }) => Math.min(cpusMax, wantedCpus));
          const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
          expect(sum(given)).toBeCloseTo(Math.min(cpus, sum(wishes)), 6);
          for (const [index, part] of given.entries()) {
            expect(part).toBeLessThanOrEqual(wishes[index]! + 1e-9);
            if (part > wishes[index]! - 1e-9) continue;
            for (const [other, theirs] of given.entries()) {
              expect(theirs / claims[other]!.shares).toBeLessThanOrEqual(part / claims[index]!.shares + 1e-9);
            }
          }
        },
      ),
    );
  });
});

/** Members that compute all the time, or so much of it, on a machine that has `hostCpus` for them. */
function run(
  group: CpuGroup,
  members: { shares: number; cpusMax?: number; wants?: number; group?: CpuGroup }[],
  { hostCpus = Infinity, seconds = 5 } = {},
): number[] {
  const stepMs = 10;
  const shares = members.map(({ shares: weight, cpusMax = Infinity }) => new CpuShare(weight, cpusMax, 0));
  for (const [index, share] of shares.entries()) (members[index]!.group ?? group).join(share);
  const bandwidths = members.map(() => new CpuBandwidth({ cpus: 1, periodMs: 100 }, 0));
  const used = members.map(() => 0);
  const freeAtMs = members.map(() => 0);
  for (let now = stepMs; now <= seconds * 1000; now += stepMs) {
    const running = members.filter((_, index) => freeAtMs[index]! < now).length;
    for (const [index, share] of shares.entries()) {
      if (freeAtMs[index]! >= now) continue;
      const { wants = 1 } = members[index]!;
      const ms = stepMs * Math.min(wants, hostCpus / running);
      used[index]! += ms;
      share.used(now, ms, wants === 1);
      const cpus = (members[index]!.group ?? group).cpusFor(share);
      bandwidths[index]!.limit = { cpus, periodMs: 100 };
      const waitMs = bandwidths[index]!.charge(now, ms);
      if (waitMs === 0) continue;
      freeAtMs[index] = now + waitMs;
      share.throttled(now + waitMs);
    }
  }
  return used.map((ms) => ms / (seconds * 1000));
}

describe("containers of a group", () => {
  test("have three to one where their weights are", () => {
    const [more, less] = run(new CpuGroup(1), [{ shares: 3072 }, { shares: 1024 }]);
    expect(more! + less!).toBeCloseTo(1, 1);
    expect(more! / less!).toBeGreaterThan(2.7);
    expect(more! / less!).toBeLessThan(3.3);
  });

  test("also where others of the machine leave less than the group may have", () => {
    const [more, less] = run(new CpuGroup(2), [{ shares: 3072 }, { shares: 1024 }], { hostCpus: 0.6 });
    expect(more! / less!).toBeGreaterThan(2.6);
    expect(more! / less!).toBeLessThan(3.4);
  });

  test("leave each other what they don't want", () => {
    const [busy, calm] = run(new CpuGroup(1), [{ shares: 1024 }, { shares: 1024, wants: 0.1 }]);
    expect(calm).toBeCloseTo(0.1, 2);
    expect(busy).toBeGreaterThan(0.8);
  });

  test("are a member of a larger one together", () => {
    const user = new CpuGroup(1);
    const pod = new CpuGroup(Infinity, user);
    const [alone, first, second] = run(user, [
      { shares: 1024 },
      { shares: 1024, group: pod },
      { shares: 1024, group: pod },
    ]);
    expect(alone).toBeCloseTo(0.5, 1);
    expect(first! + second!).toBeCloseTo(0.5, 1);
  });

  test("nobody is looked at for the sake of one without a limit", () => {
    expect(new CpuGroup(Infinity).isUnlimited).toBe(true);
    expect(new CpuGroup(Infinity, new CpuGroup(1)).isUnlimited).toBe(false);
    expect(new CpuGroup(1, new CpuGroup(Infinity)).isUnlimited).toBe(false);
  });

  test("who has left gets nothing, and takes nothing", () => {
    const user = new CpuGroup(1);
    const pod = new CpuGroup(0.5, user);
    const [one, other] = [new CpuShare(1024, Infinity, 0), new CpuShare(1024, Infinity, 0)];
    pod.join(one);
    user.join(other);
    one.used(10, 10, true);
    expect(user.cpusFor(other)).toBe(0.5);
    pod.leave(one);
    expect(user.cpusFor(other)).toBe(1);
  });
});
