import { readdir } from 'node:fs/promises'
import { Command } from 'commander'

const FOLDER = new URL('../../../api/cli/', import.meta.url)
const REGISTRAR = /^register[A-Z]/

/**
 * The commands of the program, without running it: everything under `api/cli` that exports a registrar. `main.ts` itself
 * cannot be imported (it runs), so a test holds its list of registrars against this one.
 */
export async function loadProgram(): Promise<{
  readonly program: Command
  readonly registrars: readonly string[]
}> {
  const program = new Command('plumbline')
  const registrars: string[] = []
  for (const file of (await readdir(FOLDER)).sort()) {
    if (!file.endsWith('.ts') || file === 'main.ts') continue
    const module: unknown = await import(new URL(file, FOLDER).href)
    if (typeof module !== 'object' || module === null) continue
    for (const [name, register] of Object.entries(module)) {
      if (!REGISTRAR.test(name) || typeof register !== 'function') continue
      register(program)
      registrars.push(name)
    }
  }
  return { program, registrars }
}

/** Usage, purpose and options of every command, as one block of text. */
export function commandsText(program: Command): string {
  const blocks = program.commands.map((command) => {
    const args = command.registeredArguments.map((argument) => {
      const name = argument.variadic ? `${argument.name()}…` : argument.name()
      return argument.required ? ` <${name}>` : ` [${name}]`
    })
    const options = command.options.map((option) => {
      const standard: unknown = option.defaultValue
      const tail = standard === undefined || standard === '' ? '' : ` (default ${String(standard)})`
      return `    ${option.flags.padEnd(24)}  ${option.description}${tail}`
    })
    return [`plumbline ${command.name()}${args.join('')}`, `    ${command.description()}`, ...options].join(
      '\n',
    )
  })
  return ['```text', blocks.sort().join('\n\n'), '```'].join('\n')
}
