/** `USER` of an image and `--user`: names and numbers, looked up in the container's own passwd and group files. */
import { WpodError } from "../error.ts";

export interface ResolvedUser {
  uid: number;
  gid: number;
  groups: number[];
  home: string;
}

/** Bound of the kernel's ids: 2^32 - 1 means "nobody was named". */
const ID_MAX = 0xffff_fffe;

/**
 * @param user `""`, `name`, `uid`, `name:group`, `uid:gid` and so on
 * @param passwd `name:password:uid:gid:gecos:home:shell` lines; "" when the image has none
 * @param group `name:password:gid:member,member` lines
 * @throws WpodError USER_NOT_FOUND for a name that isn't there or a number out of range
 * @see passwd(5), group(5)
 */
export function resolveUser(user: string, passwd: string, group: string): ResolvedUser {
  const [userPart = "", groupPart] = splitOnce(user);
  const users = table(passwd, 7);
  const groups = table(group, 4);

  const row = users.find((fields) =>
    userPart === "" ? fields[2] === "0" : fields[0] === userPart || fields[2] === userPart,
  );
  const uid =
    row === undefined ? numericId(userPart === "" ? "0" : userPart, "user", user) : toId(row[2]!, user);
  let gid = row === undefined ? 0 : toId(row[3]!, user);
  const extra = new Set<number>();
  if (groupPart !== undefined && groupPart !== "") {
    const found = groups.find((fields) => fields[0] === groupPart || fields[2] === groupPart);
    gid = found === undefined ? numericId(groupPart, "group", user) : toId(found[2]!, user);
  } else if (row !== undefined) {
    for (const fields of groups) {
      if (fields[3]!.split(",").includes(row[0]!)) extra.add(toId(fields[2]!, user));
    }
  }
  return { uid, gid, groups: [...extra], home: row?.[5] || (uid === 0 ? "/root" : "/") };
}

function splitOnce(text: string): [string, string | undefined] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function table(text: string, columns: number): string[][] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= columns);
}

function toId(text: string, user: string): number {
  return numericId(text, "user", user);
}

function numericId(text: string, kind: "user" | "group", user: string): number {
  if (!/^\d+$/.test(text)) {
    throw new WpodError(
      "USER_NOT_FOUND",
      `unable to find ${kind} ${text}: no matching entries in the image`,
      {
        hint: `use a number, or a name of the image's /etc/${kind === "user" ? "passwd" : "group"}`,
      },
    );
  }
  const id = Number(text);
  if (id > ID_MAX) throw new WpodError("USER_NOT_FOUND", `${kind} id ${text} of "${user}" is over ${ID_MAX}`);
  return id;
}
