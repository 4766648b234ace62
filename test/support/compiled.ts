import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * The sources as plain JavaScript in a folder of their own, for tests that need a second process: Node 20 does not run
 * TypeScript, and `dist` may be older than what is being tested. Only emits; types are checked elsewhere.
 */
export interface Compiled {
  /** Absolute path of a compiled module, given as its source path from the root of the checkout. */
  module(source: string): string
  remove(): void
}

export function compile(sources: readonly string[]): Compiled {
  const root = resolve(import.meta.dirname, '../..')
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-compiled-'))
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      outDir: folder,
      rootDir: root,
      noCheck: true,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: sources.map((source) => join(root, source)),
    include: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(folder, 'tsconfig.json')],
    {
      stdio: 'pipe',
    },
  )
  return {
    module: (source) => join(folder, source.replace(/\.ts$/, '.js')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
