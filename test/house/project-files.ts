import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The checkout as git sees it: tracked files and new ones that nobody ignores, so that a breach shows before the commit. */
export const ROOT = resolve(import.meta.dirname, '../..')

// In CI the clone may belong to another user than the one who runs this; git would refuse to answer.
const listed = execFileSync(
  'git',
  ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
  { cwd: ROOT, encoding: 'utf8' },
)

/** Paths from the root, `/` between parts, sorted. */
export const projectFiles: readonly string[] = [...new Set(listed.split('\0'))]
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))
  .sort()

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

export const ROOMS = ['ingest', 'features', 'detectors', 'responders', 'api', 'datasets', 'test'] as const
export type Room = (typeof ROOMS)[number]

/** The room of a path, or undefined for what lies outside all rooms. */
export const roomOf = (path: string): Room | undefined => ROOMS.find((room) => path.startsWith(`${room}/`))

export const typescriptFiles: readonly string[] = projectFiles.filter((path) => path.endsWith('.ts'))
