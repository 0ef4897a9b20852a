/** The images of a store, as the public API shows them. */
import type { Store } from "../node/store/store.ts";
import type { ImageInfo, Images } from "./types.ts";

export class LocalImages implements Images {
  readonly #store: () => Store;

  constructor(store: () => Store) {
    this.#store = store;
  }

  async load(path: string, options: { platform?: string; signal?: AbortSignal } = {}): Promise<ImageInfo[]> {
    const { loadImages } = await import("../node/store/importer.ts");
    return await loadImages(this.#store(), path, options);
  }

  async import(path: string, name: string, options: { signal?: AbortSignal } = {}): Promise<ImageInfo> {
    const { importFile } = await import("../node/store/importer.ts");
    return await importFile(this.#store(), path, name, options);
  }

  async list(): Promise<ImageInfo[]> {
    return this.#store().images.list();
  }

  async get(reference: string): Promise<ImageInfo> {
    return this.#store().images.resolve(reference);
  }

  async tag(reference: string, name: string): Promise<void> {
    this.#store().images.tag(reference, name);
  }

  async remove(
    reference: string,
    options: { force?: boolean } = {},
  ): Promise<{ untagged: string[]; deleted: string[] }> {
    return this.#store().images.remove(reference, options);
  }
}
