/** `--add-host NAME:ADDRESS` or `NAME=ADDRESS`: a line of the container's /etc/hosts. */
import { isIP } from "node:net";
import { WpodError } from "../../core/error.ts";

/**
 * @returns `name:address`, an IPv6 address without brackets
 * @throws WpodError USAGE
 */
export function parseAddHost(text: string): string {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(text);
  if (match === null) {
    throw new WpodError("USAGE", `bad format for --add-host: ${JSON.stringify(text)}`, {
      hint: "it looks like --add-host db:10.0.0.1",
    });
  }
  const [, name = "", given = ""] = match;
  const address = given.replace(/^\[(.*)\]$/, "$1");
  if (address === "host-gateway") {
    throw new WpodError(
      "UNSUPPORTED",
      "--add-host: host-gateway is not supported yet: containers have no network yet",
    );
  }
  if (isIP(address) === 0)
    throw new WpodError("USAGE", `invalid IP address in --add-host: ${JSON.stringify(given)}`);
  return `${name}:${address}`;
}
