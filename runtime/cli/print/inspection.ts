/** `inspect`, alone and of containers, images and volumes: looks up each name, prints what was found, then what wasn't. */
import { WpodError } from "../../core/error.ts";
import type { CommandSpec } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT_WPOD } from "../exit.ts";
import { report } from "../report.ts";
import { inspectContainer } from "./container-inspect.ts";
import { inspectImage } from "./image-inspect.ts";
import { formatObject, toText } from "./object.ts";
import { inspectVolume } from "./volume-inspect.ts";

export type ObjectType = "container" | "image" | "volume" | "all";

/** @param fixed what the command looks for; undefined: `--type` says */
export function inspection(
  words: Pick<CommandSpec, "description" | "operands" | "examples">,
  fixed?: ObjectType,
): CommandSpec {
  return {
    ...words,
    flags: [
      {
        long: "format",
        short: "f",
        kind: "text",
        value: "template",
        help: "Print in another way: json, or a Go template",
      },
      {
        long: "size",
        short: "s",
        kind: "switch",
        help: "",
        later: "files that a container wrote aren't kept yet",
      },
      ...(fixed === undefined
        ? [
            {
              long: "type",
              kind: "text",
              value: "type",
              default: "all",
              help: "Look for this only: container, image, volume, all",
            } as const,
          ]
        : []),
    ],
    checkOperands: (operands) => (operands.length > 0 ? undefined : "no names or ids specified"),
    async run(context, flags) {
      const type = fixed ?? checkType(flags.text("type") ?? "all");
      const found: object[] = [];
      const problems: WpodError[] = [];
      for (const reference of flags.operands) {
        try {
          found.push(await lookUp(reference, type, context));
        } catch (error) {
          if (!(error instanceof WpodError)) throw error;
          problems.push(error);
        }
      }
      const format = flags.text("format");
      if (format === undefined || format === "json") {
        context.output.out(
          found.length === 0 ? "[]\n" : format === undefined ? toText(found) : formatObject(found, format),
        );
      } else {
        for (const object of found) context.output.out(formatObject(object, format, { strictKeys: true }));
      }
      for (const problem of problems) report(problem, context.output, context.environment);
      return problems.length === 0 ? 0 : EXIT_WPOD;
    },
  };
}

async function lookUp(reference: string, type: ObjectType, context: Context): Promise<object> {
  const { containers, images, volumes } = context.engine();
  if (type === "container" || type === "all") {
    const container = await known(containers.get(reference));
    if (container !== undefined) return inspectContainer(container);
    if (type === "container") throw noSuch("container", reference);
  }
  if (type === "image" || type === "all") {
    const image = await known(images.get(reference));
    if (image !== undefined) return inspectImage(image);
  }
  if (type === "volume" || type === "all") {
    const volume = await known(volumes.get(reference));
    if (volume !== undefined) return inspectVolume(volume);
  }
  throw noSuch(type === "all" ? "object" : type, reference);
}

/** Undefined when there is none; other problems are told. */
async function known<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code === "string" && UNKNOWN.has(code)) return undefined;
    throw error;
  }
}

const UNKNOWN: ReadonlySet<string> = new Set([
  "CONTAINER_NOT_FOUND",
  "IMAGE_NOT_KNOWN",
  "REFERENCE_INVALID",
  "VOLUME_NOT_FOUND",
]);

function noSuch(kind: string, reference: string): WpodError {
  const code =
    kind === "image" ? "IMAGE_NOT_KNOWN" : kind === "volume" ? "VOLUME_NOT_FOUND" : "CONTAINER_NOT_FOUND";
  return new WpodError(code, `no such ${kind}: ${JSON.stringify(reference)}`);
}

function checkType(type: string): ObjectType {
  if (type === "container" || type === "image" || type === "volume" || type === "all") return type;
  throw new WpodError(
    "USAGE",
    `invalid type ${JSON.stringify(type)}: it can be container, image, volume or all`,
  );
}
