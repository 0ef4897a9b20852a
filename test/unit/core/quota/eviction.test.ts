import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CRITICAL_PRIORITY,
  emptyDirExcess,
  oomVictim,
  type PodUse,
  planEviction,
  rankForMemory,
} from "../../../../runtime/core/quota/eviction.ts";

const MIB = 1024 * 1024;

/** What it asked for and uses, in MiB. */
function pod(name: string, requested: number, used: number | undefined, priority = 0): PodUse {
  return {
    name,
    priority,
    containers: [{ requests: { memoryBytes: requested * MIB } }],
    memoryBytes: used === undefined ? undefined : used * MIB,
  };
}

const names = (pods: readonly PodUse[]) => pods.map(({ name }) => name);

describe("the order in which pods go", () => {
  // "Pod selection for kubelet eviction": usage over requests, then priority, then usage relative to requests.
  test.each([
    {
      name: "who exceeds goes before who doesn't, however much that uses",
      pods: [pod("within", 500, 400), pod("beyond", 10, 20)],
      order: ["beyond", "within"],
    },
    {
      name: "what is asked for exactly isn't exceeded",
      pods: [pod("exact", 100, 100), pod("beyond", 99, 100)],
      order: ["beyond", "exact"],
    },
    {
      name: "of those that exceed the lower priority goes first, whoever uses more",
      pods: [pod("much, high", 10, 500, 10), pod("little, low", 10, 20, 5)],
      order: ["little, low", "much, high"],
    },
    {
      name: "with the same priority, who exceeds by more",
      pods: [pod("by 10", 10, 20), pod("by 300", 200, 500), pod("by 50", 0, 50)],
      order: ["by 300", "by 50", "by 10"],
    },
    {
      name: "of those within, the lower priority, then who is nearer to what it asked for",
      pods: [
        pod("far", 500, 100),
        pod("near", 500, 450),
        pod("near, low", 500, 450, -1),
        pod("far, low", 500, 1, -1),
      ],
      order: ["near, low", "far, low", "near", "far"],
    },
    {
      name: "one that asked for nothing exceeds as soon as it uses anything",
      pods: [pod("burstable", 100, 90), pod("best effort", 0, 1)],
      order: ["best effort", "burstable"],
    },
    {
      name: "one that nobody has measured goes first, whatever its priority",
      pods: [pod("beyond", 0, 900), pod("unknown", 1000, undefined, 100)],
      order: ["unknown", "beyond"],
    },
    {
      name: "critical ones never",
      pods: [pod("critical", 0, 900, CRITICAL_PRIORITY), pod("nearly", 100, 10, CRITICAL_PRIORITY - 1)],
      order: ["nearly"],
    },
    {
      name: "equals in the order in which they came",
      pods: [pod("a", 1, 2), pod("b", 1, 2)],
      order: ["a", "b"],
    },
    { name: "nobody", pods: [], order: [] },
  ])("$name", ({ pods, order }) => {
    expect(names(rankForMemory(pods))).toEqual(order);
  });

  test("requests of all containers count together, and limits where there are none", () => {
    const two: PodUse = {
      name: "two",
      containers: [{ requests: { memoryBytes: 60 * MIB } }, { limits: { memoryBytes: 40 * MIB } }],
      memoryBytes: 100 * MIB,
    };
    expect(names(rankForMemory([two, pod("beyond", 0, 1)]))).toEqual(["beyond", "two"]);
    expect(names(rankForMemory([pod("beyond", 0, 1), { ...two, memoryBytes: 102 * MIB }]))).toEqual([
      "two",
      "beyond",
    ]);
  });
});

describe("whom to end", () => {
  const pods = [pod("a", 0, 300), pod("b", 0, 200), pod("c", 100, 100)];
  test.each([
    { limit: 700, ended: [] },
    { limit: 600, ended: [] },
    { limit: 599, ended: ["a"] },
    { limit: 300, ended: ["a"] },
    { limit: 299, ended: ["a", "b"] },
    { limit: 100, ended: ["a", "b"] },
    { limit: 99, ended: ["a", "b", "c"] },
  ])("under a limit of $limit MiB", ({ limit, ended }) => {
    expect(names(planEviction(pods, limit * MIB))).toEqual(ended);
  });

  const anyPod = fc
    .tuple(fc.nat(1000), fc.option(fc.nat(1000), { nil: undefined }), fc.integer({ min: -3, max: 3 }))
    .map(([requested, used, priority]) => pod("pod", requested, used, priority));

  test("what is left fits, nobody went who needn't, and who is within goes last", () => {
    fc.assert(
      fc.property(fc.array(anyPod, { maxLength: 12 }), fc.nat(8000), (all, limit) => {
        const ended = planEviction(all, limit * MIB);
        const left = all.filter((one) => !ended.includes(one));
        const used = (some: readonly PodUse[]) =>
          some.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
        expect(used(left)).toBeLessThanOrEqual(limit * MIB);
        if (ended.length > 0)
          expect(used(left) + (ended.at(-1)!.memoryBytes ?? 0)).toBeGreaterThan(limit * MIB);
        expect(rankForMemory(all).slice(0, ended.length)).toEqual(ended);
      }),
    );
  });
});

describe("who is killed when there is no memory", () => {
  const total = 1000;
  test.each([
    {
      name: "who uses most, of equals in class",
      candidates: [
        [100, 999],
        [300, 999],
        [200, 999],
      ],
      victim: 1,
    },
    {
      name: "best effort before guaranteed, whatever they use",
      candidates: [
        [990, -997],
        [5, 1000],
      ],
      victim: 1,
    },
    {
      name: "burstable by what it uses and asked for",
      candidates: [
        [400, 500],
        [100, 900],
      ],
      victim: 1,
    },
    {
      name: "one that is exempt never",
      candidates: [
        [900, -1000],
        [1, -997],
      ],
      victim: 1,
    },
    {
      name: "the first of equals",
      candidates: [
        [5, 10],
        [5, 10],
      ],
      victim: 0,
    },
    { name: "nobody, when all are exempt", candidates: [[900, -1000]], victim: -1 },
    { name: "nobody, when there is nobody", candidates: [], victim: -1 },
  ] as { name: string; candidates: [number, number][]; victim: number }[])(
    "$name",
    ({ candidates, victim }) => {
      const all = candidates.map(([memoryBytes, scoreAdjust]) => ({ memoryBytes, scoreAdjust }));
      expect(all.indexOf(oomVictim(all, total)!)).toBe(victim);
    },
  );
});

test.each([
  { name: "below", usedBytes: 1023, sizeLimitBytes: 1024, reason: undefined },
  { name: "exactly", usedBytes: 1024, sizeLimitBytes: 1024, reason: undefined },
  {
    name: "above",
    usedBytes: 1025,
    sizeLimitBytes: 1024,
    reason: 'Usage of EmptyDir volume "cache" exceeds the limit "1KiB".',
  },
  { name: "without a limit", usedBytes: 2 ** 40, sizeLimitBytes: undefined, reason: undefined },
  { name: "with a limit of 0, which is none", usedBytes: 1, sizeLimitBytes: 0, reason: undefined },
])("an emptyDir $name", ({ usedBytes, sizeLimitBytes, reason }) => {
  const within = { name: "other", usedBytes: 1, sizeLimitBytes: 2 };
  expect(emptyDirExcess([within, { name: "cache", usedBytes, sizeLimitBytes }])).toBe(reason);
});
