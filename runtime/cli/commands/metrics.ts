/** `wpod metrics`: what containers use, for Prometheus. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WpodError } from "../../core/error.ts";
import { EXPOSITION_TYPES, type ExpositionFormat } from "../../core/metrics/exposition.ts";
import type { Engine } from "../../engine/index.ts";
import { type CommandSpec, none } from "../command.ts";

const PATH = "/metrics";

export const command: CommandSpec = {
  flags: [
    {
      long: "format",
      kind: "text",
      value: "format",
      default: "prometheus",
      help: "prometheus, or openmetrics",
    },
    {
      long: "listen",
      kind: "text",
      value: "[host:]port",
      help: `Answer at http://HOST:PORT${PATH} until it is ended; the host is 127.0.0.1 unless it is said`,
    },
  ],
  operands: "",
  description: "Prints what all running containers use, by the names that cAdvisor gives such metrics.",
  examples: ["wpod metrics", "wpod metrics --listen 9323"],
  checkOperands: none,
  async run(context, flags) {
    const format = formatOf(flags.text("format") ?? "prometheus");
    const listen = flags.text("listen");
    const engine = context.engine();
    if (listen === undefined) {
      context.output.out(await engine.metrics(format));
      return 0;
    }
    const { host, port } = parseAddress(listen);
    const server = createServer((request, response) => void answer(engine, format, request, response));
    const listening = Promise.withResolvers<void>();
    server.once("error", (error: NodeJS.ErrnoException) =>
      listening.reject(
        new WpodError("USAGE", `can't listen at ${host}:${port}: ${error.code ?? error.message}`, {
          hint: "another program may: choose another port",
        }),
      ),
    );
    server.listen(port, host, listening.resolve);
    await listening.promise;
    const { port: actual } = server.address() as AddressInfo;
    const shown = host.includes(":") ? `[${host}]` : host;
    context.output.error(`listening at http://${shown}:${actual}${PATH}\n`);
    // Until a signal.
    await new Promise(() => {});
    return 0;
  },
};

async function answer(
  engine: Engine,
  usual: ExpositionFormat,
  { url = "", method, headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (url.split("?", 1)[0] !== PATH) {
    response.writeHead(404, { "content-type": "text/plain" }).end(`metrics are at ${PATH}\n`);
    return;
  }
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const format = headers.accept?.includes("application/openmetrics-text") ? "openmetrics" : usual;
  try {
    const text = await engine.metrics(format);
    response.writeHead(200, { "content-type": EXPOSITION_TYPES[format] }).end(method === "HEAD" ? "" : text);
  } catch (error) {
    if (!(error instanceof WpodError)) throw error;
    response.writeHead(503, { "content-type": "text/plain" }).end(`${error.message}\n`);
  }
}

function formatOf(text: string): ExpositionFormat {
  if (text === "prometheus" || text === "openmetrics") return text;
  throw new WpodError("USAGE", `invalid --format "${text}": it is "prometheus" or "openmetrics"`);
}

/** `9323`, `127.0.0.1:9323`, `[::1]:9323`. */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new WpodError("USAGE", `invalid --listen "${text}": it is [HOST:]PORT`);
  }
  return { host: match[1] ?? match[2] ?? "127.0.0.1", port };
}
