#!/usr/bin/env -S node --max-semi-space-size=64 --max-old-space-size=1024
import { Command } from 'commander'
import { productVersion } from '../config.ts'
import { registerCatalogues } from './catalogues.ts'
import { EXIT } from './exit.ts'
import { registerInspect } from './inspect.ts'
import { registerReplay } from './replay.ts'
import { registerServe } from './serve.ts'
import { registerStoreCommands } from './store-commands.ts'

/** The program `plumbline`. Each command lives in its own file and registers itself here. */
const program = new Command('plumbline')
  .description('Behavioural anomaly detection for machine identities')
  .version(productVersion())
  .exitOverride()

registerReplay(program)
registerServe(program)
registerInspect(program)
registerCatalogues(program)
registerStoreCommands(program)

try {
  await program.parseAsync(process.argv)
} catch (error) {
  process.exitCode = failure(error)
}

/** One line that says what is wrong; the code first, because scripts match on it. */
function failure(error: unknown): number {
  if (!(error instanceof Error)) throw error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'internal'
  // Commander has printed its own message (help, version, usage).
  if (code.startsWith('commander.'))
    return 'exitCode' in error && error.exitCode === 0 ? EXIT.ok : EXIT.cannot
  process.stderr.write(`plumbline: ${code}: ${error.message}\n`)
  if (code === 'internal' && error.stack !== undefined) process.stderr.write(`${error.stack}\n`)
  return EXIT.cannot
}
