/**
 * Layout of the descriptors that the threads of a program share, in `Int32` slots of shared memory: one for each descriptor,
 * then the records. `shared-descriptor-table.ts` has the rules.
 *
 * | slot | what |
 * |---|---|
 * | of descriptor `fd` | 0: free; else the number of its record, plus one |
 * | record + 0 | 1 while somebody has it |
 * | record + 1 | handle of the open file; -1 while the record is being filled, or stands for nothing |
 * | record + 2 | file type |
 * | record + 3, 4 | rights: base, inheriting |
 * | record + 5 | `FdFlags` |
 * | record + 6 | 0, or which preopen it is, plus one |
 */
export const Field = {
  taken: 0,
  handle: 1,
  type: 2,
  rightsBase: 3,
  rightsInheriting: 4,
  flags: 5,
  preopen: 6,
} as const;

export const RECORD_SLOTS = 7;

/**
 * @param countMax numbers from 0 to one less may be in use (`RLIMIT_NOFILE`)
 * @param threadsMax each may own a record for a moment that stands in no slot
 */
export function createDescriptorRecords(countMax: number, threadsMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer((countMax + (countMax + threadsMax) * RECORD_SLOTS) * 4);
}
