/** A container as `inspect` shows it: docker's keys, with what wpod knows of them. */
import type { ContainerInfo, Limits, MountSpec } from "../../engine/types.ts";
import { CIDFILE_ANNOTATION } from "../run/cidfile.ts";
import { rfc3339 } from "./go-time.ts";

const MS_PER_SECOND = 1000;
const US_PER_MS = 1000;

/** @see https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Container/operation/ContainerInspect */
export function inspectContainer(container: ContainerInfo): object {
  const { status, annotations, limits } = container;
  return {
    Id: container.id,
    Created: rfc3339(container.createdMs),
    Path: container.path,
    Args: container.args,
    State: {
      Status: status,
      Running: status === "running",
      Paused: false,
      Restarting: false,
      OOMKilled: container.oomKilled,
      Dead: false,
      Pid: container.pid,
      ExitCode: container.exitCode,
      Error: container.reason ?? "",
      StartedAt: rfc3339(container.startedMs),
      FinishedAt: rfc3339(container.finishedMs),
      Health: null,
    },
    Image: container.imageId,
    ImageName: container.image,
    Name: container.name,
    RestartCount: 0,
    Driver: "layers",
    Platform: container.platform,
    LogPath: container.logPath ?? "",
    Mounts: container.mounts.map(inspectMount),
    Config: {
      Hostname: container.hostname,
      User: container.user,
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: container.tty,
      Env: container.env,
      Cmd: container.command,
      Entrypoint: container.entrypoint,
      Image: container.image,
      Labels: container.labels,
      Annotations: annotations,
      WorkingDir: container.workdir,
      ExposedPorts: {},
      Healthcheck: null,
      StopSignal: container.stopSignal,
    },
    HostConfig: {
      Annotations: annotations,
      AutoRemove: container.autoRemove,
      BlkioDeviceReadBps: throttles(limits.readBps),
      BlkioDeviceReadIOps: throttles(limits.readIops),
      BlkioDeviceWriteBps: throttles(limits.writeBps),
      BlkioDeviceWriteIOps: throttles(limits.writeIops),
      Binds: container.mounts.filter(({ type }) => type !== "tmpfs").map(bindText),
      // As docker: of both ways to say it, the one that was used.
      CpuPeriod: (limits.cpuPeriodMs ?? 0) * US_PER_MS,
      CpuQuota: Math.round((limits.cpuPeriodMs ?? 0) * US_PER_MS * (limits.cpus ?? 0)),
      CpuShares: limits.cpuShares ?? 0,
      ContainerIDFile: annotations[CIDFILE_ANNOTATION] ?? "",
      LogConfig: { Type: "k8s-file", Config: logOptions(limits) },
      Memory: limits.memoryBytesMax ?? 0,
      MemoryReservation: limits.memoryReservationBytes ?? 0,
      NanoCpus: limits.cpuPeriodMs === undefined ? Math.round((limits.cpus ?? 0) * 1e9) : 0,
      NetworkMode: container.network,
      PidsLimit: limits.threadsMax ?? null,
      PortBindings: {},
      Privileged: false,
      ReadonlyRootfs: container.readOnly,
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      Runtime: "wpod",
      StorageOpt: storageOptions(limits),
      Ulimits: ulimits(limits),
    },
    NetworkSettings: { Ports: {}, Networks: {} },
  };
}

/** Of programs: a guest can't raise them. */
function ulimits({ cpuTimeMs, fileBytesMax, locksMax, descriptorsMax }: Limits): object[] {
  const limits = {
    cpu: cpuTimeMs === undefined ? undefined : Math.ceil(cpuTimeMs / MS_PER_SECOND),
    fsize: fileBytesMax,
    locks: locksMax,
    nofile: descriptorsMax,
  };
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  return given.map(([Name, limit]) => ({ Name, Hard: limit, Soft: limit }));
}

/** It holds for all files: there is one device. */
function throttles(rate = 0): object[] {
  return rate === 0 ? [] : [{ Path: "/", Rate: rate }];
}

/** As they can be given, where they were. */
function logOptions({ logFileBytesMax, logFilesMax, logBps, logMode }: Limits): object {
  const given = {
    "max-size": logFileBytesMax,
    "max-file": logFilesMax,
    "max-rate": logBps,
    mode: logMode,
  };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, `${value}`]));
}

/** As they can be given. */
function storageOptions({ diskBytesMax, inodesMax }: Limits): object | null {
  if (diskBytesMax === undefined && inodesMax === undefined) return null;
  return {
    ...(diskBytesMax === undefined ? {} : { size: `${diskBytesMax}` }),
    ...(inodesMax === undefined ? {} : { inodes: `${inodesMax}` }),
  };
}

function inspectMount({ type, source = "", target, readOnly = false }: MountSpec): object {
  const common = { Source: source, Destination: target, Mode: "", RW: !readOnly, Propagation: "" };
  return type === "volume"
    ? { Type: type, Name: source, ...common, Driver: "local" }
    : { Type: type, ...common };
}

function bindText({ source = "", target, readOnly = false }: MountSpec): string {
  return `${source}:${target}:${readOnly ? "ro" : "rw"}`;
}
