/** The files under `/etc` that belong to a container and not to its image. */

export interface EtcFile {
  path: string;
  content: string;
}

/** @param addHosts `host:address` pairs, checked before */
export function etcFiles(hostname: string, addHosts: readonly string[]): EtcFile[] {
  const hosts = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...addHosts.map((pair) => {
      const colon = pair.indexOf(":");
      return `${pair.slice(colon + 1)}\t${pair.slice(0, colon)}`;
    }),
    `127.0.0.1\t${hostname}`,
  ];
  return [
    { path: "/etc/hostname", content: `${hostname}\n` },
    { path: "/etc/hosts", content: `${hosts.join("\n")}\n` },
    { path: "/etc/resolv.conf", content: "# no network\n" },
  ];
}
