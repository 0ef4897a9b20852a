/** The engine: images and containers under one root, hosted by this process. What the command line and other programs call. */
import { readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { OpenFile } from "../../shim/abi/system.ts";
import { etcFiles } from "../core/container/etc-files.ts";
import { generateName, isValidName } from "../core/container/name.ts";
import { planProcess } from "../core/container/process-plan.ts";
import { WpodError } from "../core/error.ts";
import type { Digest } from "../core/image/digest.ts";
import { choosePlatform, parsePlatform } from "../core/image/platform.ts";
import type { ImageRecord } from "../core/image/record.ts";
import {
  assembleTree,
  type ContainerTree,
  ROOT_DEVICE,
  SUPERUSER,
  type TreeServices,
} from "../core/kernel/container-tree.ts";
import { SharedVolumes, type VolumeUse } from "../core/kernel/shared-volumes.ts";
import type { FilesSpec, MountPlan } from "../core/kernel/spec.ts";
import type { MeasuredContainer } from "../core/metrics/container-metrics.ts";
import type { ExpositionFormat } from "../core/metrics/exposition.ts";
import { isRestricted } from "../node/host/permission-flags.ts";
import { randomHex } from "../node/host/random.ts";
import { parseImageSource } from "../node/store/image-source.ts";
import { openLayer } from "../node/store/layer-reader.ts";
import { RewrittenModules } from "../node/store/rewritten-modules.ts";
import { openStore, type Store } from "../node/store/store.ts";
import { treeServices } from "../node/tree-services.ts";
import { checkLimits } from "./check-limits.ts";
import { listenFor } from "./container-control.ts";
import { ContainerQuota } from "./container-quota.ts";
import { LocalContainers, randomBelow } from "./containers.ts";
import { cpuControlOf, cpuLimitsOf, isCpuLimited } from "./cpu-limit.ts";
import { LocalImages } from "./images.ts";
import type { IsolatedContainer } from "./isolated-container.ts";
import { lastingLayer, passingLayer } from "./keep-plan.ts";
import { dropSpareKernel } from "./kernel-entry.ts";
import { KernelHost } from "./kernel-host.ts";
import { lookAtKernel } from "./kernel-look.ts";
import * as limits from "./limits.ts";
import { LocalContainer } from "./local-container.ts";
import { Modules } from "./modules.ts";
import { planMounts } from "./mounts.ts";
import { type Prepared, type ProgramWish, prepareProgram } from "./prepare.ts";
import { programLimitsOf } from "./program-limits.ts";
import type { EngineRecord } from "./record.ts";
import { LocalGroup } from "./resource-group.ts";
import { defaultRoot } from "./root.ts";
import { planTerminal } from "./terminal.ts";
import type { CpuControl } from "./thread-pauses.ts";
import type {
  Container,
  ContainerInfo,
  Containers,
  EngineInfo,
  EngineOptions,
  ExecOptions,
  GroupLimits,
  ImageSource,
  Images,
  Placement,
  ResourceGroup,
  RunOptions,
  RunResult,
  Volumes,
} from "./types.ts";
import { UserLimits } from "./user-limits.ts";
import { VERSION } from "./version.ts";
import { LocalVolumes } from "./volumes.ts";
import { dropSpareWorkers } from "./worker-entry.ts";

/** Of a container's id. */
const ID_BYTES = 32;

/** What is to be run: an image, or a module without one. */
interface Source {
  given: string;
  image: ImageRecord | undefined;
  module: { name: string; bytes: Uint8Array } | undefined;
}

export class Engine implements AsyncDisposable {
  /** Absolute. */
  readonly root: string;
  readonly images: Images;
  readonly containers: Containers;
  readonly volumes: Volumes;
  readonly #records: LocalContainers;
  readonly #volumes: LocalVolumes;
  readonly #modules: Modules;
  readonly #userLimits: UserLimits;
  readonly #running = new Set<LocalContainer>();
  readonly #hostKind: EngineRecord["hostKind"];
  readonly #placement: Placement;
  readonly #isolation: RunOptions["isolation"];
  readonly #isolated = new Set<IsolatedContainer>();
  readonly #kernel = new KernelHost();
  /** Of all its containers. */
  readonly #group: LocalGroup;
  readonly #cpuControl: CpuControl;
  #store: Store | undefined;
  #disposed = false;

  /** Opens nothing yet: the root is made and read by what is called first. */
  constructor(options: EngineOptions = {}) {
    this.root = resolve(options.root ?? defaultRoot());
    this.#hostKind = options.hostKind ?? "library";
    this.#isolation = options.isolation;
    this.#group = new LocalGroup(options.limits ?? {});
    this.#cpuControl = cpuControlOf(options.cpuControl ?? process.env.WPOD_CPU_CONTROL);
    this.#placement = placementOf(options.placement ?? process.env.WPOD_PLACEMENT);
    this.#modules = new Modules({
      rewritten: new RewrittenModules(join(this.root, "rewritten"), VERSION),
      reentry: reentryOf(options.reentry ?? process.env.WPOD_REENTRY),
    });
    const store = () => this.#openStore();
    this.images = new LocalImages(store);
    this.#volumes = new LocalVolumes(store);
    this.volumes = this.#volumes;
    this.#userLimits = new UserLimits(store);
    this.#records = new LocalContainers(this.root, store, this.#volumes, (id) =>
      [...this.#running].find((running) => running.id === id),
    );
    this.containers = this.#records;
  }

  /**
   * Runs a container to its end.
   * @throws WpodError what is wrong with the image, the program or the options; ABORTED after `signal`
   */
  async run(image: ImageSource, options: RunOptions = {}): Promise<RunResult> {
    return (await this.launch(image, options)).wait();
  }

  /** A container that doesn't run yet: its files can be looked at and changed, then `start` runs it. */
  async create(image: ImageSource, options: RunOptions = {}): Promise<Container> {
    if (this.#isIsolated(options)) {
      throw new WpodError(
        "UNSUPPORTED",
        "a container in a process of its own is started as it is made: use launch",
      );
    }
    return this.#make(image, { remove: false, ...options }, true);
  }

  /** For a caller that needs the container while it runs: `create` and `start` with one record written. */
  async launch(image: ImageSource, options: RunOptions = {}): Promise<Container> {
    if (this.#isIsolated(options)) return this.#launchIsolated(image, options);
    const container = await this.#make(image, { remove: true, ...options }, false);
    await container.start();
    return container;
  }

  /** Containers that are to have limits together: `RunOptions.group`. @throws WpodError USAGE */
  group(limits: GroupLimits): ResourceGroup {
    return new LocalGroup(limits, this.#group);
  }

  #isIsolated({ isolation = this.#isolation }: RunOptions): boolean {
    return isolation === "process" && !isRestricted();
  }

  async #launchIsolated(image: ImageSource, options: RunOptions): Promise<Container> {
    this.#checkNotDisposed();
    const { launchIsolated } = await import("./isolated-container.ts");
    // This file is a part of the library; in the source tree it is beside it.
    const library = import.meta.url.replace(/[^/]+\.ts$/, "index.ts");
    const container = await launchIsolated(
      library,
      { root: this.root, placement: this.#placement },
      image,
      options,
    );
    this.#isolated.add(container);
    const forget = () => this.#isolated.delete(container);
    container.wait().then(forget, forget);
    return container;
  }

  async info(): Promise<EngineInfo> {
    const containers = { created: 0, running: 0, exited: 0 };
    for (const { status } of await this.containers.list({ all: true })) containers[status]++;
    return {
      version: VERSION,
      root: this.root,
      node: process.version,
      platform: `${process.platform}/${process.arch}`,
      images: (await this.images.list()).length,
      containers,
      cpuControl: this.#cpuControl,
    };
  }

  /** What all running containers of its root use, for Prometheus or another collector. */
  async metrics(format: ExpositionFormat = "prometheus"): Promise<string> {
    const { containerMetrics } = await import("../core/metrics/container-metrics.ts");
    const { exposition } = await import("../core/metrics/exposition.ts");
    const running = await this.containers.list();
    const measured = await Promise.all(running.map((container) => this.#measure(container)));
    const families = containerMetrics(
      measured.filter((container) => container !== undefined),
      Date.now(),
    );
    return exposition(families, format);
  }

  /** One that ends meanwhile uses nothing. */
  async #measure({ id, name, image, startedMs = 0 }: ContainerInfo): Promise<MeasuredContainer | undefined> {
    try {
      return { id, name, image, startedMs, usage: await this.containers.stats(id) };
    } catch (error) {
      if (error instanceof WpodError) return undefined;
      throw error;
    }
  }

  /** Ends what still runs here and lets go of everything. The engine can't be used after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#running, ...this.#isolated].map((container) => container.end()));
    await this.#userLimits.close();
    await Promise.all([dropSpareWorkers(), dropSpareKernel(), this.#kernel[Symbol.asyncDispose]()]);
    this.#store?.close();
    this.#store = undefined;
  }

  #checkNotDisposed(): void {
    if (this.#disposed) throw new WpodError("USAGE", "the engine was disposed of");
  }

  #groupOf({ group }: RunOptions): LocalGroup {
    if (group === undefined) return this.#group;
    if (group instanceof LocalGroup) return group;
    throw new WpodError("USAGE", "the group is not one of Engine.group");
  }

  #openStore(): Store {
    this.#checkNotDisposed();
    this.#store ??= openStore(this.root);
    return this.#store;
  }

  async #make(image: ImageSource, given: RunOptions, recordNow: boolean): Promise<LocalContainer> {
    const { limits: ownLimits, totalCpus, admit } = await this.#userLimits.of(given);
    const options: RunOptions = { ...given, limits: ownLimits };
    const source = await this.#resolve(image, options);
    const id = randomHex(ID_BYTES);
    // Checked before a volume is made for it.
    planMounts(options.mounts ?? [], () => ({ path: "" }));
    checkLimits(ownLimits);
    const cpuLimits = cpuLimitsOf(ownLimits);
    const group = this.#groupOf(options);
    const isMetered = this.#cpuControl === "metering" && isCpuLimited(cpuLimits, group.cpu, totalCpus);
    const mounts = this.#volumes.ensure(options.mounts ?? []);
    const plans = planMounts(mounts, (volume) => this.#volumes.place(volume));
    const hostname = options.hostname ?? id.slice(0, 12);
    const config = source.image?.config.config ?? {};
    const terminal = planTerminal(options);
    const plan = planProcess(source.module === undefined ? config : { Entrypoint: [source.module.name] }, {
      args: options.args,
      entrypoint: options.entrypoint,
      env: options.env,
      unsetEnvAll: options.unsetEnvAll,
      workdir: options.workdir,
      user: options.user,
      hostname,
      terminal: terminal?.size,
    });
    const log = options.log ?? options.remove !== true;
    const record: EngineRecord = {
      id,
      name: options.name === undefined ? generateName(randomBelow) : checkName(options.name),
      nameIsGenerated: options.name === undefined,
      image: source.given,
      imageId: source.image?.id ?? "",
      status: "created",
      createdMs: Date.now(),
      startedMs: undefined,
      finishedMs: undefined,
      pid: 0,
      processStart: "",
      hostKind: this.#hostKind,
      exitCode: 0,
      oomKilled: false,
      reason: undefined,
      path: plan.argv[0]!,
      args: plan.argv.slice(1),
      env: plan.env,
      workdir: plan.workdir,
      user: plan.user,
      hostname,
      labels: { ...config.Labels, ...options.labels },
      annotations: { ...options.annotations },
      mounts,
      limits: ownLimits,
      readOnly: options.readOnly ?? false,
      autoRemove: options.remove === true,
      entrypoint: plan.entrypoint,
      command: plan.command,
      stopSignal: options.stopSignal ?? config.StopSignal ?? "SIGTERM",
      platform: source.image?.platform ?? "wasi/wasm",
      network: "none",
      logPath: log ? `${this.#records.folder(id)}/ctr.log` : undefined,
      tty: terminal !== undefined,
    };
    const files = this.#filesOf(source, record, plans, options);
    const wishes: StartWishes = { needsHome: plan.needsHome, onWarning: options.onWarning, isMetered };
    return new LocalContainer(
      {
        record,
        records: this.#records,
        options,
        terminal,
        collectBytesMax: ownLimits.outputBytesMax ?? limits.COLLECT_BYTES_MAX,
        files,
        prepare: (current) => this.#prepare(source, record, current, wishes),
        prepareShared: (current) => this.#prepareShared(source, record, current, wishes),
        prepareExec: (command, execOptions, root) =>
          this.#prepareExec(source, record, command, { ...execOptions, isMetered }, root),
        volumes: this.#volumes,
        quota: (ends) =>
          new ContainerQuota({
            limits: record.limits,
            totalCpus,
            group,
            kernel: this.#kernel,
            control: this.#cpuControl,
            hasMoreRuns: this.#hostKind === "library",
            ...ends,
          }),
        placement: this.#placement,
        running: this.#running,
        admit,
        listen: (container) => listenFor(this.root, container),
        checkEngine: () => this.#checkNotDisposed(),
      },
      recordNow,
    );
  }

  async #resolve(image: ImageSource, options: RunOptions): Promise<Source> {
    if (typeof image !== "string") {
      const name = image.name ?? "module.wasm";
      return { given: name, image: undefined, module: { name: `/${basename(name)}`, bytes: image.wasm } };
    }
    const place = parseImageSource(image);
    if (place !== undefined) {
      const { loadSource } = await import("../node/store/importer.ts");
      const { platform, signal } = options;
      const loaded = await loadSource(this.#openStore(), place, { platform, signal });
      return { given: image, image: loaded, module: undefined };
    }
    if (/^(\.{0,2}[/\\]|[A-Za-z]:[/\\])/.test(image) || image.endsWith(".wasm")) {
      return {
        given: image,
        image: undefined,
        module: { name: `/${basename(image)}`, bytes: readModule(image) },
      };
    }
    const found = this.#openStore().images.resolve(image);
    if (options.platform !== undefined) {
      choosePlatform([{ platform: parsePlatform(found.platform) }], parsePlatform(options.platform), image);
    }
    return { given: image, image: found, module: undefined };
  }

  #filesOf(source: Source, record: EngineRecord, mounts: MountPlan[], options: RunOptions): FilesSpec {
    const store = source.image === undefined ? undefined : this.#openStore();
    return {
      layers: source.image?.layers.map(({ diffId }) => store!.layer(diffId)) ?? [],
      snapshot: undefined,
      keep: record.autoRemove
        ? passingLayer(this.root)
        : lastingLayer(
            this.#records.folder(record.id),
            source.image?.layers.map(({ diffId }) => diffId).join(",") ?? "",
          ),
      folders: source.image === undefined ? [{ path: "/tmp", mode: 0o1777 }] : [],
      mounts,
      etcFiles: etcFiles(record.hostname, options.addHosts ?? []),
      readOnly: record.readOnly,
      diskBytesMax: options.limits?.diskBytesMax ?? limits.DISK_BYTES_MAX,
      inodesMax: options.limits?.inodesMax ?? limits.INODES_MAX,
      locksMax: options.limits?.locksMax,
    };
  }

  /** A layer that turns out damaged is set aside: the next import of the image brings it again. */
  #assemble(source: Source, files: FilesSpec, services: TreeServices, volumes: VolumeUse): ContainerTree {
    try {
      return assembleTree(files, services, undefined, undefined, volumes);
    } catch (error) {
      if (error instanceof WpodError && error.code === "BLOB_CORRUPT") {
        for (const { diffId } of source.image?.layers ?? []) this.#setAsideIfDamaged(diffId);
      }
      throw error;
    }
  }

  #setAsideIfDamaged(diffId: Digest): void {
    const store = this.#openStore();
    try {
      openLayer(store.layer(diffId)).close();
    } catch {
      store.setAside(diffId);
    }
  }

  /** Looks into the container's tree, on this thread, for what runs, as whom, and where. */
  #prepare(source: Source, record: EngineRecord, files: FilesSpec, wishes: StartWishes): Prepared {
    using services = treeServices();
    const volumes = new SharedVolumes(treeServices);
    using use = volumes.use();
    const tree = this.#assemble(source, lookOnly(files), services, use);
    return this.#prepareIn(source, record, files, wishes, tree.openRoot(SUPERUSER));
  }

  /** The same at the kernel, where other containers have its volumes open. */
  #prepareShared(
    source: Source,
    record: EngineRecord,
    files: FilesSpec,
    wishes: StartWishes,
  ): Promise<Prepared> {
    // What was put into its files before the start is needed again.
    const snapshot = structuredClone(files.snapshot);
    return lookAtKernel(this.#kernel, `${record.id}-look`, { ...lookOnly(files), snapshot }, (root) =>
      this.#prepareIn(source, record, files, wishes, root),
    );
  }

  #prepareIn(
    source: Source,
    record: EngineRecord,
    files: FilesSpec,
    wishes: StartWishes,
    root: OpenFile,
  ): Prepared {
    const { image } = source;
    const isAsInImage = (device: bigint) =>
      image !== undefined && device === ROOT_DEVICE && files.snapshot === undefined;
    return prepareProgram(
      root,
      {
        ...this.#wish(source, record),
        ...wishes,
        argv: [record.path, ...record.args],
        env: record.env,
        workdir: record.workdir,
        user: record.user,
        given: givenModule(source, record),
        key: ({ path, device }) => (isAsInImage(device) ? `${image!.id}:${path}` : undefined),
      },
      this.#modules,
    );
  }

  /** The same for a second program, in files that may have changed since. */
  #prepareExec(
    source: Source,
    record: EngineRecord,
    command: readonly string[],
    options: ExecOptions & Pick<StartWishes, "isMetered">,
    root: OpenFile,
  ): Prepared {
    const { workdir, user, isMetered } = options;
    const size = planTerminal(options)?.size;
    // The container has those of its first program's terminal.
    const own = size === undefined ? {} : { COLUMNS: `${size.columns}`, LINES: `${size.rows}` };
    const env = { ...own, ...options.env };
    const plan = planProcess(
      { Env: record.env, WorkingDir: record.workdir, User: record.user },
      { entrypoint: command, env, workdir, user, hostname: record.hostname, terminal: size },
    );
    const wish = this.#wish(source, record);
    return prepareProgram(
      root,
      {
        ...wish,
        ...plan,
        isMetered,
        onWarning: undefined,
        given: givenModule(source, plan),
        key: () => undefined,
      },
      this.#modules,
    );
  }

  #wish(
    source: Source,
    record: EngineRecord,
  ): Pick<
    ProgramWish,
    "containerId" | "annotations" | "memoryBytesMax" | "descriptorsMax" | "fileBytesMax" | "source"
  > {
    const { image, module, given } = source;
    return {
      containerId: record.id,
      annotations: record.annotations,
      memoryBytesMax: record.limits.memoryBytesMax,
      ...programLimitsOf(record.limits),
      source: ({ path }) => ({
        path: path === module?.name ? given : path,
        image: image && { name: record.image, platform: image.platform },
      }),
    };
  }
}

/** The module that a container without an image is made of is in none of its files. */
function givenModule(
  { module }: Source,
  { entrypoint }: { entrypoint: readonly string[] },
): Source["module"] {
  return entrypoint[0] === module?.name ? module : undefined;
}

/** What the caller of a run wants beyond its record. */
type StartWishes = Pick<ProgramWish, "needsHome" | "onWarning" | "isMetered">;

function placementOf(text: string | undefined): Placement {
  if (text === undefined || text === "" || text === "worker") return "worker";
  if (text === "kernel") return text;
  throw new WpodError("USAGE", `placement "${text}": it is "worker" or "kernel"`);
}

function reentryOf(wish: boolean | string | undefined): boolean {
  if (typeof wish === "boolean") return wish;
  if (wish === undefined || wish === "" || wish === "on") return true;
  if (wish === "off") return false;
  throw new WpodError("USAGE", `WPOD_REENTRY is "${wish}": it is "on" or "off"`);
}

/** Nothing is written yet that isn't in the snapshot. Of a volume that is empty: what it will get is still at its place. */
function lookOnly(files: FilesSpec): FilesSpec {
  const look = (mount: MountPlan): MountPlan =>
    mount.whenEmpty === "copy" ? { ...mount, whenEmpty: "look" } : mount;
  return { ...files, keep: undefined, mounts: files.mounts.map(look) };
}

function checkName(name: string): string {
  if (isValidName(name)) return name;
  throw new WpodError("NAME_INVALID", "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
}

function readModule(path: string): Uint8Array {
  try {
    if (statSync(path).isDirectory()) {
      throw new WpodError("COMMAND_NOT_EXECUTABLE", `${path}: is a directory`, {
        hint: "name a .wasm file, or oci:DIR for an image layout",
      });
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof WpodError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new WpodError(
      "FILE_NOT_FOUND",
      code === "ENOENT"
        ? `${path}: no such file or directory`
        : `${path} can't be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
