/** What keeps a file system on disk, or parts of it. */
export interface Keeper {
  /** It can be opened again when the process has ended. */
  readonly lasts: boolean;
  /** All that was done until now is there after a loss of power. A negative `Errno` when it may not be. */
  sync(): number;
  /** What changed is there after the end of the process. A negative `Errno` when it isn't. */
  flush(): number;
  /**
   * What was done until now would be done again: mount points, before a program runs. It isn't worth a file where there is
   * none yet; the first change after it is, and takes it along.
   */
  settle(): void;
  /**
   * Lets go of the files, so that another thread can go on with them: the state of the file system is taken after this.
   * @returns false: they don't have all that changed
   */
  release(): boolean;
  /** Writes what is left, and lets go of the files. A negative `Errno`: something of it is lost. */
  close(): number;
}
