/** `wpod info`: where the state is, and how much of it. */
import { availableParallelism, totalmem } from "node:os";
import { binarySize } from "../../core/format/size.ts";
import { type CommandSpec, none } from "../command.ts";
import { formatObject } from "../print/object.ts";

export const command: CommandSpec = {
  flags: [
    {
      long: "format",
      short: "f",
      kind: "text",
      value: "template",
      help: "Print in another way: json, or a Go template",
    },
  ],
  operands: "",
  description: "Shows where wpod keeps its state, what is in it, and what it runs on.",
  examples: ["wpod info", "wpod info --format '{{.Images}}'"],
  checkOperands: none,
  async run(context, flags) {
    const info = await context.engine().info();
    const { created, running, exited } = info.containers;
    // docker's keys, as far as they mean something here.
    const data = {
      Containers: created + running + exited,
      ContainersRunning: running,
      ContainersPaused: 0,
      ContainersStopped: created + exited,
      Images: info.images,
      Driver: "layers",
      LoggingDriver: "k8s-file",
      ServerVersion: info.version,
      NodeVersion: info.node,
      OperatingSystem: process.platform,
      OSType: "wasi",
      Architecture: "wasm",
      HostPlatform: info.platform,
      NCPU: availableParallelism(),
      MemTotal: totalmem(),
      CpuCfsQuota: true,
      CPUShares: true,
      CpuControl: info.cpuControl,
      DockerRootDir: info.root,
      Root: info.root,
    };
    const format = flags.text("format");
    if (format !== undefined) {
      context.output.out(formatObject(data, format));
      return 0;
    }
    context.output.out(
      [
        `Version: ${data.ServerVersion}`,
        `Node.js: ${data.NodeVersion} on ${data.HostPlatform}`,
        `CPUs: ${data.NCPU}`,
        `CPU limits by: ${data.CpuControl}`,
        `Memory: ${binarySize(data.MemTotal)}`,
        `Root: ${data.Root}`,
        `Images: ${data.Images}`,
        `Containers: ${data.Containers}`,
        ` Running: ${running}`,
        ` Created: ${created}`,
        ` Exited: ${exited}`,
        "",
      ].join("\n"),
    );
    return 0;
  },
};
