/**
 * What a directory shows when layers are stacked: decided from their indexes, one directory at a time.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
import type { LayerEntry, LayerIndex } from "../image/layer-index.ts";

/** A directory of one layer. */
export interface LayerPlace {
  /** Which layer; 0 is the lowest. */
  readonly layer: number;
  /** As `LayerIndex` spells it. */
  readonly path: string;
}

export interface MergedEntry {
  readonly layer: number;
  readonly entry: LayerEntry;
  /** Of a directory: where its own entries come from, the highest layer first. */
  readonly places: readonly LayerPlace[];
}

interface Draft {
  layer: number;
  entry: LayerEntry;
  places: LayerPlace[];
  /** Lower layers add nothing more to it. */
  closed: boolean;
}

const NO_PLACES: LayerPlace[] = [];

/** The places that a root directory is made of. */
export function rootPlaces(layerCount: number): LayerPlace[] {
  const places: LayerPlace[] = [];
  for (let layer = layerCount - 1; layer >= 0; layer--) places.push({ layer, path: "" });
  return places;
}

/**
 * @param places the highest layer first
 * @returns by name, in the order in which they are found
 */
export function mergeDirectory(
  layers: readonly LayerIndex[],
  places: readonly LayerPlace[],
): Map<string, MergedEntry> {
  const drafts = new Map<string, Draft>();
  const hidden = new Set<string>();
  for (let index = 0; index < places.length; index++) {
    const place = places[index]!;
    const source = layers[place.layer]!;
    for (const entry of source.children(place.path)) addEntry(drafts, hidden, place, entry);
    if (index === places.length - 1 || source.isOpaque(place.path)) break;
    // A whiteout hides what is below its layer, not what stands beside it.
    for (const name of source.whiteouts(place.path)) {
      hidden.add(name);
      const draft = drafts.get(name);
      if (draft !== undefined) draft.closed = true;
    }
  }
  return drafts;
}

function addEntry(
  drafts: Map<string, Draft>,
  hidden: Set<string>,
  place: LayerPlace,
  entry: LayerEntry,
): void {
  const draft = drafts.get(entry.name);
  const isDirectory = entry.type === "directory";
  const path = isDirectory ? childPath(place.path, entry.name) : "";
  if (draft === undefined) {
    if (hidden.has(entry.name)) return;
    const places = isDirectory ? [{ layer: place.layer, path }] : NO_PLACES;
    drafts.set(entry.name, { layer: place.layer, entry, places, closed: !isDirectory });
    return;
  }
  if (draft.closed) return;
  if (!isDirectory) {
    draft.closed = true;
    return;
  }
  draft.places.push({ layer: place.layer, path });
  // The attributes are those of the highest layer that states any.
  if (draft.entry.implied && !entry.implied) {
    draft.entry = entry;
    draft.layer = place.layer;
  }
}

function childPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
