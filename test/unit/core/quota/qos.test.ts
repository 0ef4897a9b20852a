import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ContainerResources,
  NODE_CRITICAL_PRIORITY,
  oomScoreAdjust,
  qosClass,
} from "../../../../runtime/core/quota/qos.ts";

const MIB = 1024 * 1024;
const HALF = { cpus: 0.5, memoryBytes: 100 * MIB };
const WHOLE = { cpus: 1, memoryBytes: 200 * MIB };

// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ and /tasks/configure-pod-container/quality-service-pod/
test.each<{ name: string; containers: ContainerResources[]; qos: string }>([
  { name: "nothing said", containers: [{}], qos: "BestEffort" },
  { name: "nothing said in any", containers: [{}, {}], qos: "BestEffort" },
  { name: "zeros", containers: [{ requests: { cpus: 0, memoryBytes: 0 } }], qos: "BestEffort" },
  { name: "no container", containers: [], qos: "BestEffort" },
  { name: "requests as limits", containers: [{ requests: HALF, limits: HALF }], qos: "Guaranteed" },
  { name: "limits alone: requests are as they", containers: [{ limits: HALF }], qos: "Guaranteed" },
  { name: "all guaranteed", containers: [{ limits: HALF }, { limits: WHOLE }], qos: "Guaranteed" },
  { name: "one without anything", containers: [{ limits: HALF }, {}], qos: "Burstable" },
  { name: "requests below limits", containers: [{ requests: HALF, limits: WHOLE }], qos: "Burstable" },
  {
    name: "one of two requests below",
    containers: [{ requests: { ...WHOLE, memoryBytes: MIB }, limits: WHOLE }],
    qos: "Burstable",
  },
  { name: "requests without limits", containers: [{ requests: HALF }], qos: "Burstable" },
  { name: "a memory limit alone", containers: [{ limits: { memoryBytes: MIB } }], qos: "Burstable" },
  { name: "a CPU limit alone", containers: [{ limits: { cpus: 1 } }], qos: "Burstable" },
  { name: "a CPU request in one of two", containers: [{}, { requests: { cpus: 0.1 } }], qos: "Burstable" },
  {
    name: "a request beside limits that say less",
    containers: [{ requests: HALF, limits: { memoryBytes: HALF.memoryBytes } }],
    qos: "Burstable",
  },
])("quality of service: $name", ({ containers, qos }) => {
  expect(qosClass(containers)).toBe(qos);
});

describe("oom_score_adj", () => {
  const total = 1000 * MIB;
  const asking = (mib: number): ContainerResources => ({ requests: { memoryBytes: mib * MIB } });

  // https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/: min(max(2, 1000 - 1000 x request / capacity), 999);
  // the code has 3 where the page has 2.
  test.each([
    { name: "Guaranteed", qos: "Guaranteed", container: { limits: HALF }, priority: 0, adjust: -997 },
    { name: "BestEffort", qos: "BestEffort", container: {}, priority: 0, adjust: 1000 },
    {
      name: "asked for nothing",
      qos: "Burstable",
      container: { limits: { cpus: 1 } },
      priority: 0,
      adjust: 999,
    },
    { name: "asked for little", qos: "Burstable", container: asking(0.5), priority: 0, adjust: 999 },
    { name: "asked for 0.1 %", qos: "Burstable", container: asking(1), priority: 0, adjust: 999 },
    { name: "asked for 0.2 %", qos: "Burstable", container: asking(2), priority: 0, adjust: 998 },
    { name: "asked for half", qos: "Burstable", container: asking(500), priority: 0, adjust: 500 },
    { name: "asked for nearly all", qos: "Burstable", container: asking(997), priority: 0, adjust: 3 },
    { name: "asked for all", qos: "Burstable", container: asking(1000), priority: 0, adjust: 3 },
    { name: "asked for more", qos: "Burstable", container: asking(4000), priority: 0, adjust: 3 },
    { name: "critical", qos: "BestEffort", container: {}, priority: NODE_CRITICAL_PRIORITY, adjust: -997 },
    {
      name: "nearly critical",
      qos: "BestEffort",
      container: {},
      priority: NODE_CRITICAL_PRIORITY - 1,
      adjust: 1000,
    },
  ] as const)("$name: $adjust", ({ qos, container, priority, adjust }) => {
    expect(oomScoreAdjust(qos, container, total, priority)).toBe(adjust);
  });

  test("the classes keep their order, whatever is asked for", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 50), fc.integer({ min: 1, max: 2 ** 50 }), (memoryBytes, totalBytes) => {
        const adjust = oomScoreAdjust("Burstable", { requests: { memoryBytes } }, totalBytes);
        expect(adjust).toBeGreaterThan(oomScoreAdjust("Guaranteed", {}, totalBytes));
        expect(adjust).toBeLessThan(oomScoreAdjust("BestEffort", {}, totalBytes));
      }),
    );
  });
});
