/** What a file system may hold: bytes of content and inodes. Exact: the last byte fits, the next one doesn't. */
export class Budget {
  readonly bytesMax: number;
  readonly inodesMax: number;
  usedBytes = 0;
  usedInodes = 0;

  constructor(bytesMax: number, inodesMax: number) {
    this.bytesMax = bytesMax;
    this.inodesMax = inodesMax;
  }

  /** All or nothing. */
  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.bytesMax) return false;
    this.usedBytes += bytes;
    return true;
  }

  /** What there is, at most `bytes`. */
  takeSome(bytes: number): number {
    const taken = Math.min(bytes, this.bytesMax - this.usedBytes);
    this.usedBytes += taken;
    return taken;
  }

  giveBack(bytes: number): void {
    this.usedBytes -= bytes;
  }

  takeInode(): boolean {
    if (this.usedInodes >= this.inodesMax) return false;
    this.usedInodes++;
    return true;
  }

  giveInodeBack(): void {
    this.usedInodes--;
  }
}
