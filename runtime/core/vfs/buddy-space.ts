/**
 * Places in a file that grows, each a power of two long: what is given back is joined with the place beside it, so that larger ones are
 * there again.
 *
 * @see Knuth, The Art of Computer Programming, volume 1, section 2.5: the buddy system
 */
import { assert } from "../error.ts";

export interface Place {
  readonly offsetBytes: number;
  /** It is `placeBytes(order)` long. */
  readonly order: number;
}

const PLACE_BYTES_MIN = 512;
/** Of the largest place, 256 KiB. */
const ORDER_MAX = 9;

export function placeBytes(order: number): number {
  return PLACE_BYTES_MIN << order;
}

/** The smallest place that has room for so much, at most 256 KiB. */
export function orderOf(sizeBytes: number): number {
  assert(sizeBytes <= placeBytes(ORDER_MAX), "a chunk fits into the largest place");
  return sizeBytes <= PLACE_BYTES_MIN ? 0 : 32 - Math.clz32((sizeBytes - 1) >>> 9);
}

export class BuddySpace {
  /** By order: where free places are. */
  readonly #free: Set<number>[] = Array.from({ length: ORDER_MAX + 1 }, () => new Set());
  #endBytes = 0;

  /** @param used places that were taken of another one, which is gone; no two lie over each other */
  constructor(used: Iterable<Place> = []) {
    const places = [...used].sort((a, b) => a.offsetBytes - b.offsetBytes);
    const last = places.at(-1);
    const blockBytes = placeBytes(ORDER_MAX);
    if (last !== undefined) this.#endBytes = Math.ceil((last.offsetBytes + 1) / blockBytes) * blockBytes;
    let next = 0;
    const freeAround = (offset: number, order: number): void => {
      const place = places[next];
      if (place === undefined || place.offsetBytes >= offset + placeBytes(order)) {
        this.#free[order]!.add(offset);
      } else if (place.order === order) next++;
      else {
        freeAround(offset, order - 1);
        freeAround(offset + placeBytes(order - 1), order - 1);
      }
    };
    for (let offset = 0; offset < this.#endBytes; offset += blockBytes) freeAround(offset, ORDER_MAX);
  }

  /** How far places reach. */
  get endBytes(): number {
    return this.#endBytes;
  }

  take(order: number): Place {
    let from = order;
    while (from <= ORDER_MAX && this.#free[from]!.size === 0) from++;
    let offset = this.#endBytes;
    if (from > ORDER_MAX) {
      from = ORDER_MAX;
      this.#endBytes += placeBytes(ORDER_MAX);
    } else {
      [offset] = this.#free[from]! as Iterable<number> as [number];
      this.#free[from]!.delete(offset);
    }
    // The first part is used, so that places that are taken one after the other are neighbours.
    while (from > order) {
      from--;
      this.#free[from]!.add(offset + placeBytes(from));
    }
    return { offsetBytes: offset, order };
  }

  give({ offsetBytes, order }: Place): void {
    let offset = offsetBytes;
    let size = order;
    for (; size < ORDER_MAX; size++) {
      const isSecond = offset % placeBytes(size + 1) !== 0;
      const buddy = isSecond ? offset - placeBytes(size) : offset + placeBytes(size);
      if (!this.#free[size]!.delete(buddy)) break;
      if (isSecond) offset = buddy;
    }
    this.#free[size]!.add(offset);
  }
}
