/**
 * A pod's quality of service, by what its containers ask for and may have, and what follows from it for who is killed first.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */

/** An amount of each; undefined: nothing is said of it. */
export interface Amounts {
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

export interface ContainerResources {
  readonly requests?: Amounts;
  readonly limits?: Amounts;
}

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const RESOURCES = ["cpus", "memoryBytes"] as const;

/** What is limited and not asked for is asked for as it is limited. 0 is as if nothing was said. */
export function requestOf({ requests, limits }: ContainerResources, resource: keyof Amounts): number {
  return requests?.[resource] ?? limits?.[resource] ?? 0;
}

/** @param containers all of the pod, those that only prepare it included */
export function qosClass(containers: readonly ContainerResources[]): QosClass {
  const isGuaranteed = containers.every((container) =>
    RESOURCES.every((resource) => {
      const limit = container.limits?.[resource] ?? 0;
      return limit > 0 && requestOf(container, resource) === limit;
    }),
  );
  if (containers.length > 0 && isGuaranteed) return "Guaranteed";
  const isBurstable = containers.some((container) =>
    RESOURCES.some(
      (resource) => requestOf(container, resource) > 0 || (container.limits?.[resource] ?? 0) > 0,
    ),
  );
  return isBurstable ? "Burstable" : "BestEffort";
}

/** From -1000 (never) to 1000 (first): added to the thousandths of all memory that a process has. */
export const OOM_SCORE_ADJUST_MIN = -1000;
const GUARANTEED_ADJUST = -997;
const BEST_EFFORT_ADJUST = 1000;
/** Priority of what a node needs to work: `system-node-critical`. */
export const NODE_CRITICAL_PRIORITY = 2_000_001_000;

/**
 * @param totalBytes memory of the whole
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
 */
export function oomScoreAdjust(
  qos: QosClass,
  container: ContainerResources,
  totalBytes: number,
  priority = 0,
): number {
  if (qos === "Guaranteed" || priority >= NODE_CRITICAL_PRIORITY) return GUARANTEED_ADJUST;
  if (qos === "BestEffort") return BEST_EFFORT_ADJUST;
  // Whoever asked for all of it is nearly as safe as who has it guaranteed; who asked for little nearly as good as lost.
  const adjust = 1000 - Math.floor((1000 * requestOf(container, "memoryBytes")) / totalBytes);
  return Math.min(Math.max(adjust, 1000 + GUARANTEED_ADJUST), BEST_EFFORT_ADJUST - 1);
}
