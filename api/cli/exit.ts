/** Exit codes, the same for all commands. */
export const EXIT = {
  /** All was well. */
  ok: 0,
  /** The work was done, but not everything was well: dead letters, unreadable files, differences. */
  incomplete: 1,
  /** The work could not be done: wrong options, no store, a fault. */
  cannot: 2,
} as const
