/**
 * Who has to go when pods together use more than there is, or one of them more than it may, as Kubernetes decides it. Decisions only:
 * whoever asks ends the pod, measures again, and asks again.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
 */
import { binarySize } from "../format/size.ts";
import { type ContainerResources, OOM_SCORE_ADJUST_MIN, requestOf } from "./qos.ts";

/** From here on a pod is critical: `system-cluster-critical`. */
export const CRITICAL_PRIORITY = 2_000_000_000;

export interface PodUse {
  readonly name: string;
  /** Of its priority class; 0 when it has none. */
  readonly priority?: number;
  readonly containers: readonly ContainerResources[];
  /** Undefined: nobody has measured it. */
  readonly memoryBytes: number | undefined;
}

/**
 * In the order in which they are to go: who uses more than it asked for; then the lower priority; then who uses more beyond what it asked
 * for. One that nobody has measured goes before all. Critical ones never go.
 */
export function rankForMemory<Pod extends PodUse>(pods: readonly Pod[]): Pod[] {
  return pods
    .filter(({ priority = 0 }) => priority < CRITICAL_PRIORITY)
    .sort(
      (a, b) =>
        Number(b.memoryBytes === undefined) - Number(a.memoryBytes === undefined) ||
        Number(excessBytes(b) > 0) - Number(excessBytes(a) > 0) ||
        (a.priority ?? 0) - (b.priority ?? 0) ||
        excessBytes(b) - excessBytes(a),
    );
}

/** What it uses beyond what it asked for; negative, when that is less. */
function excessBytes({ memoryBytes = 0, containers }: PodUse): number {
  return memoryBytes - containers.reduce((sum, container) => sum + requestOf(container, "memoryBytes"), 0);
}

/**
 * Whom to end so that the others fit: none while all fit, and no more than it takes.
 * @param limitBytes of all together
 */
export function planEviction<Pod extends PodUse>(pods: readonly Pod[], limitBytes: number): Pod[] {
  let usedBytes = pods.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
  const evicted: Pod[] = [];
  for (const pod of rankForMemory(pods)) {
    if (usedBytes <= limitBytes) break;
    evicted.push(pod);
    usedBytes -= pod.memoryBytes ?? 0;
  }
  return evicted;
}

/** A process, when there isn't even time to end a pod. */
export interface OomCandidate {
  readonly memoryBytes: number;
  /** See `oomScoreAdjust`. */
  readonly scoreAdjust: number;
}

/**
 * Who is killed: the one with the highest score, of several the first. Undefined: none may be.
 * @see https://docs.kernel.org/filesystems/proc.html, /proc/<pid>/oom_score_adj
 */
export function oomVictim<Candidate extends OomCandidate>(
  candidates: readonly Candidate[],
  totalBytes: number,
): Candidate | undefined {
  let victim: Candidate | undefined;
  let highest = -Infinity;
  for (const candidate of candidates) {
    if (candidate.scoreAdjust <= OOM_SCORE_ADJUST_MIN) continue;
    const score = candidate.memoryBytes + (candidate.scoreAdjust * totalBytes) / 1000;
    if (score <= highest) continue;
    victim = candidate;
    highest = score;
  }
  return victim;
}

export interface EmptyDirUse {
  readonly name: string;
  readonly usedBytes: number;
  /** `emptyDir.sizeLimit`; undefined or 0: none of its own. */
  readonly sizeLimitBytes: number | undefined;
}

/** Why the pod has to go, as its status says it; undefined: it doesn't. */
export function emptyDirExcess(volumes: readonly EmptyDirUse[]): string | undefined {
  for (const { name, usedBytes, sizeLimitBytes = 0 } of volumes) {
    if (sizeLimitBytes <= 0 || usedBytes <= sizeLimitBytes) continue;
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${binarySize(sizeLimitBytes)}".`;
  }
  return undefined;
}
