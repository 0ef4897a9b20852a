import { expect, test } from "vitest";
import { resolveUser } from "../../../../runtime/core/container/user.ts";

const PASSWD = "root:x:0:0:root:/root:/bin/sh\n# note\napp:x:1000:100:App:/home/app:/bin/sh\nshort:x:5\n";
const GROUP = "root:x:0:\nusers:x:100:\nwheel:x:10:root,app\naudio:x:29:app\n";

test.each([
  { user: "", uid: 0, gid: 0, groups: [10], home: "/root" },
  { user: "app", uid: 1000, gid: 100, groups: [10, 29], home: "/home/app" },
  { user: "1000", uid: 1000, gid: 100, groups: [10, 29], home: "/home/app" },
  { user: "app:audio", uid: 1000, gid: 29, groups: [], home: "/home/app" },
  { user: "app:7", uid: 1000, gid: 7, groups: [], home: "/home/app" },
  { user: "4294967294", uid: 4294967294, gid: 0, groups: [], home: "/" },
])("user $user is $uid:$gid", ({ user, ...expected }) => {
  expect(resolveUser(user, PASSWD, GROUP)).toEqual(expected);
});

test.each(["nobody", "4294967295", "4294967296", "app:nogroup", "-1", "0x0", "short"])(
  "user %s is refused",
  (user) => {
    expect(() => resolveUser(user, PASSWD, GROUP)).toThrow(
      expect.objectContaining({ code: "USER_NOT_FOUND" }),
    );
  },
);

test("an image without passwd has numbers only", () => {
  expect(resolveUser("12:34", "", "")).toEqual({ uid: 12, gid: 34, groups: [], home: "/" });
  expect(() => resolveUser("root", "", "")).toThrow(/unable to find user root/);
});
