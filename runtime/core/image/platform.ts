/**
 * Platforms: which of an image's variants runs here.
 *
 * Everybody writes WebAssembly's platform differently (`wasi/wasm`, `wasip1/wasm`, `wasi/wasm32`, even `wasm32/wasi`); all
 * mean the same to us. A linux image may hold nothing but wasm, too: its platform can't tell, its entry point can.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-index.md
 */
import { WpodError } from "../error.ts";

export interface Platform {
  os: string;
  architecture: string;
  variant: string | undefined;
}

/** One of the manifests that an index offers. */
export interface PlatformOffer {
  /** Undefined when the index doesn't say. */
  platform: Platform | undefined;
}

export interface PlatformChoice {
  /** Into the offers. */
  index: number;
  /** Why it was this one, as a half sentence. */
  reason: string;
}

const PREVIEW_2 = "wasip2/wasm";
/** Best first: preview 1 before what may be a component. */
const WASM_PLATFORMS = ["wasip1/wasm", "wasi/wasm", PREVIEW_2];
const WASM_ARCHITECTURES = new Set(["wasm", "wasm32"]);
const WASM_SYSTEMS = new Set(["wasi", "wasip1", "wasip2"]);
const PART = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/**
 * `os/architecture[/variant]`, as `--platform` takes it.
 * @throws WpodError USAGE
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const [os, architecture, variant] = parts;
  if (
    os === undefined ||
    architecture === undefined ||
    parts.length > 3 ||
    !parts.every((part) => PART.test(part))
  ) {
    throw new WpodError("USAGE", `invalid platform ${JSON.stringify(text.slice(0, 100))}`, {
      hint: "a platform looks like wasi/wasm",
    });
  }
  return { os, architecture, variant };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined || variant === ""
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;
}

/** The platform says that it is WebAssembly, in whichever spelling. */
export function isWasm(platform: Platform): boolean {
  return wasmSpelling(platform) !== undefined;
}

/**
 * Chooses a manifest of an index. Pure: the same offers always give the same choice.
 *
 * Without a wish: WebAssembly first; else one that doesn't say its platform; else a single linux one, which may hold only
 * wasm. Several linux ones were built a machine each: those are machine code.
 *
 * @param what names the index in the message
 * @throws WpodError IMAGE_PLATFORM with what is offered
 */
export function choosePlatform(
  offers: readonly PlatformOffer[],
  wanted: Platform | undefined,
  what: string,
): PlatformChoice {
  const choice = wanted === undefined ? chooseRunnable(offers) : chooseWanted(offers, wanted);
  if (choice !== undefined) return choice;
  const names = offers.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  const offered = names.length === 0 ? "no images" : [...new Set(names)].slice(0, 20).join(", ");
  throw new WpodError(
    "IMAGE_PLATFORM",
    wanted === undefined
      ? `${what} holds nothing that wpod can run: it offers ${offered}`
      : `${what} has no image for ${formatPlatform(wanted)}: it offers ${offered}`,
    {
      hint:
        wanted === undefined
          ? "wpod runs WebAssembly: look for an image with platform wasi/wasm"
          : "leave --platform out to take what wpod can run",
    },
  );
}

function chooseRunnable(offers: readonly PlatformOffer[]): PlatformChoice | undefined {
  const ranks = offers.map(({ platform }) => {
    const spelling = platform === undefined ? undefined : wasmSpelling(platform);
    return spelling === undefined ? -1 : WASM_PLATFORMS.indexOf(spelling);
  });
  for (let rank = 0; rank < WASM_PLATFORMS.length; rank++) {
    const index = ranks.indexOf(rank);
    if (index >= 0) return { index, reason: "its platform is WebAssembly" };
  }
  const silent = offers.findIndex(({ platform }) => platform === undefined);
  if (silent >= 0) return { index: silent, reason: "it doesn't say its platform: the entry point decides" };

  const linux = offers.findIndex(({ platform }) => platform?.os === "linux");
  const single = offers.filter(({ platform }) => platform?.os === "linux").length === 1;
  if (single) return { index: linux, reason: "a linux image may hold WebAssembly: the entry point decides" };
  return undefined;
}

function chooseWanted(offers: readonly PlatformOffer[], wanted: Platform): PlatformChoice | undefined {
  const exact = offers.findIndex(({ platform }) => platform !== undefined && same(platform, wanted));
  const index =
    exact >= 0 || !isWasm(wanted)
      ? exact
      : offers.findIndex(({ platform }) => platform !== undefined && spellingFits(platform, wanted));
  return index < 0 ? undefined : { index, reason: `--platform ${formatPlatform(wanted)}` };
}

/** Any spelling of the same; `wasi` alone was preview 1 for years. A wish for preview 1 is not met by preview 2. */
function spellingFits(platform: Platform, wanted: Platform): boolean {
  const given = wasmSpelling(platform);
  const wish = wasmSpelling(wanted);
  return given !== undefined && (given === wish || (given !== PREVIEW_2 && wish !== PREVIEW_2));
}

function same(left: Platform, right: Platform): boolean {
  return (
    left.os === right.os &&
    left.architecture === right.architecture &&
    (right.variant === undefined || left.variant === right.variant)
  );
}

function wasmSpelling({ os, architecture }: Platform): string | undefined {
  if (WASM_SYSTEMS.has(os) && WASM_ARCHITECTURES.has(architecture)) return `${os}/wasm`;
  if (WASM_ARCHITECTURES.has(os) && WASM_SYSTEMS.has(architecture)) return `${architecture}/wasm`;
  return undefined;
}
