/**
 * Decides where in a function checks stand, while its instructions come by once.
 *
 * - Every loop has one at its header.
 * - A function that calls another passes one before that, and another one before every ninth call: whoever calls nothing needs none,
 *   and what returns early doesn't pay. A large function has one where it begins, whatever it does.
 *
 * So nothing runs for long without a check: neither loops, nor recursion, nor tail calls, nor a tree of calls that is deep enough;
 * also where the way goes by exceptions, which only loops and calls can repeat.
 *
 * A check counts in a global. In a loop without calls it counts in a local, which gets what the global has in front of the loop; the
 * global gets it back wherever the loop is left.
 */

/** Calls up to the next check; none of them is of a large function, or it is one that has a check itself. */
const CALLS_PER_CHECK = 8;
/** More than any: nothing comes by. */
const DEAD = 255;

/** What may be put at an offset of the code. Numbers, since there are many. */
export const Insertion = { nothing: 0, check: 1, localCheck: 2, load: 3, store: 4 } as const;
export type Insertion = (typeof Insertion)[keyof typeof Insertion];

/** A branch out of a loop, maybe: where it could store, and how far out it goes. */
interface Exit {
  readonly place: number;
  /** Depth of the outermost frame that it may go to; -1: out of the function. */
  readonly depth: number;
}

/** A loop without calls, with the loops in it. */
interface Nest {
  readonly depth: number;
  readonly load: number;
  readonly store: number;
  readonly headers: number[];
  exits: readonly Exit[];
}

/** A loop that is open. */
interface OpenLoop {
  /** Of its frame, from 0 on. */
  readonly depth: number;
  /** Places in front of it, and of its check. */
  readonly load: number;
  readonly header: number;
  exits: Exit[];
  nests: Nest[];
  calls: boolean;
}

export class MeterFlow {
  /** @param put adds an insertion at an offset, and answers its place, by which `replace` knows it */
  constructor(
    put: (offset: number, insertion: Insertion) => number,
    replace: (place: number, insertion: Insertion) => void,
  ) {
    this.#put = put;
    this.#replace = replace;
  }

  readonly #put: (offset: number, insertion: Insertion) => number;
  readonly #replace: (place: number, insertion: Insertion) => void;

  /** How many calls may come before the next check. */
  #credit = 0;
  /** Of the innermost frame; the function's own is 0. */
  #depth = -1;
  // Of the frames that are open: what a way to their end has left at least, what they began with, and whether that goes on at
  // their end, as around an `if` without `else`. Never shortened: it is done for 100,000 functions.
  readonly #atEnd: number[] = [];
  readonly #atStart: number[] = [];
  readonly #isIf: boolean[] = [];
  readonly #openLoops: OpenLoop[] = [];

  /** @param hasCheck one stands in front of the code */
  begin(hasCheck: boolean): void {
    this.#credit = hasCheck ? CALLS_PER_CHECK : 0;
    this.#depth = -1;
    this.#openLoops.length = 0;
    this.open(false);
  }

  /** `block`, `if`, `try` and `try_table`. */
  open(isIf: boolean): void {
    const depth = ++this.#depth;
    this.#atEnd[depth] = DEAD;
    this.#atStart[depth] = this.#credit;
    this.#isIf[depth] = isIf;
  }

  /** @param start offset of the instruction, `end` of what follows */
  loop(start: number, end: number): void {
    const load = this.#put(start, Insertion.nothing);
    const header = this.#put(end, Insertion.check);
    if (this.#credit !== DEAD) this.#credit = CALLS_PER_CHECK;
    this.open(false);
    this.#openLoops.push({
      depth: this.#depth,
      load,
      header,
      exits: NO_EXITS,
      nests: NO_NESTS,
      calls: false,
    });
  }

  else(): void {
    this.#reach(this.#depth, this.#credit);
    this.#isIf[this.#depth] = false;
    this.#credit = this.#atStart[this.#depth]!;
  }

  /** Of the older exceptions: it is reached from anywhere. */
  catch(): void {
    this.#reach(this.#depth, this.#credit);
    this.#credit = 0;
  }

  /** @param end offset behind the instruction */
  end(end: number): void {
    const depth = this.#depth--;
    const loop = this.#openLoops.at(-1);
    // A branch to a loop goes to its header.
    if (loop !== undefined && loop.depth === depth) {
      this.#endLoop(loop, this.#put(end, Insertion.nothing));
      return;
    }
    this.#credit = Math.min(
      this.#credit,
      this.#atEnd[depth]!,
      this.#isIf[depth] ? this.#atStart[depth]! : DEAD,
    );
  }

  /** @param label how many frames are in between; `isAlways`: what follows isn't reached from here */
  branch(start: number, label: number, isAlways: boolean): void {
    const depth = this.#depth - label;
    this.#reach(depth, this.#credit);
    this.#exit(start, depth);
    if (isAlways) this.#credit = DEAD;
  }

  /** @param labels of a `br_table` */
  branchToAny(start: number, labels: readonly number[]): void {
    for (const label of labels) this.#reach(this.#depth - label, this.#credit);
    this.#exit(start, this.#depth - Math.max(...labels));
    this.#credit = DEAD;
  }

  /** Labels of catch clauses, from outside of the `try_table`: an exception gets there from anywhere in it. */
  catches(labels: readonly number[]): void {
    for (const label of labels) this.#reach(this.#depth - label, 0);
  }

  /** `return`, `throw` and the like. */
  leave(start: number): void {
    this.#exit(start, -1);
    this.#credit = DEAD;
  }

  /** @param isTail nothing follows */
  call(start: number, isTail: boolean): void {
    const loop = this.#openLoops.at(-1);
    if (loop !== undefined) loop.calls = true;
    if (this.#credit === 0) {
      this.#put(start, Insertion.check);
      this.#credit = CALLS_PER_CHECK;
    }
    this.#credit--;
    if (isTail) this.#credit = DEAD;
  }

  #reach(depth: number, credit: number): void {
    // A label that is none: V8 refuses the module.
    if (depth >= 0 && credit < this.#atEnd[depth]!) this.#atEnd[depth] = credit;
  }

  #exit(start: number, depth: number): void {
    const loop = this.#openLoops.at(-1);
    if (loop === undefined || depth >= loop.depth) return;
    if (loop.exits === NO_EXITS) loop.exits = [];
    loop.exits.push({ place: this.#put(start, Insertion.nothing), depth });
  }

  #endLoop({ depth, load, header, exits, nests, calls }: OpenLoop, store: number): void {
    this.#openLoops.pop();
    const around = this.#openLoops.at(-1);
    if (calls) {
      for (const nest of nests) this.#countLocally(nest);
      if (around !== undefined) around.calls = true;
      return;
    }
    const nest: Nest = { depth, load, store, headers: [header], exits };
    if (nests !== NO_NESTS) {
      nest.headers.push(...nests.flatMap((inner) => inner.headers));
      nest.exits = [...exits, ...nests.flatMap((inner) => inner.exits)];
    }
    if (around === undefined) this.#countLocally(nest);
    else if (around.nests === NO_NESTS) around.nests = [nest];
    else around.nests.push(nest);
  }

  #countLocally({ depth, load, store, headers, exits }: Nest): void {
    this.#replace(load, Insertion.load);
    this.#replace(store, Insertion.store);
    for (const header of headers) this.#replace(header, Insertion.localCheck);
    for (const exit of exits) if (exit.depth < depth) this.#replace(exit.place, Insertion.store);
  }
}

// For most loops: nothing is made anew.
const NO_EXITS: Exit[] = [];
const NO_NESTS: Nest[] = [];
