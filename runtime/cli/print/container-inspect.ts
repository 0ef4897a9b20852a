/** A container as `inspect` shows it: docker's keys, with what wpod knows of them. */
import type { ContainerInfo, MountSpec } from "../../engine/types.ts";
import { CIDFILE_ANNOTATION } from "../run/cidfile.ts";
import { rfc3339 } from "./go-time.ts";

/** @see https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Container/operation/ContainerInspect */
export function inspectContainer(container: ContainerInfo): object {
  const { status, annotations } = container;
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
      Binds: container.mounts.filter(({ type }) => type !== "tmpfs").map(bindText),
      ContainerIDFile: annotations[CIDFILE_ANNOTATION] ?? "",
      LogConfig: { Type: "k8s-file", Config: {} },
      Memory: container.limits.memoryBytesMax ?? 0,
      NanoCpus: Math.round((container.limits.cpus ?? 0) * 1e9),
      NetworkMode: container.network,
      PortBindings: {},
      Privileged: false,
      ReadonlyRootfs: container.readOnly,
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      Runtime: "wpod",
    },
    NetworkSettings: { Ports: {}, Networks: {} },
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
