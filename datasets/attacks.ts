import { readdir } from 'node:fs/promises'
import type { Attack } from './attack.ts'

const FOLDER = new URL('./attacks/', import.meta.url)

/**
 * The attacks, found by scanning `attacks/`, in order of id. An entry that is no attack, or whose id is not its file name,
 * refuses to load (`invalid-catalogue`), listing every problem at once.
 */
export async function loadAttacks(folder: URL = FOLDER): Promise<readonly Attack[]> {
  const files = (await readdir(folder))
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
  const problems: string[] = []
  const attacks: Attack[] = []
  for (const file of files) {
    const module: unknown = await import(new URL(file, folder).href)
    const attack = typeof module === 'object' && module !== null && 'attack' in module ? module.attack : null
    if (!isAttack(attack)) problems.push(`${file}: exports no attack made by defineAttack`)
    else if (attack.id !== file.replace(/\.(ts|js)$/, ''))
      problems.push(`${file}: its id is ${JSON.stringify(attack.id)}, not the file name`)
    else attacks.push(attack)
  }
  if (problems.length > 0)
    throw Object.assign(new Error(`Attack catalogue is invalid:\n${problems.join('\n')}`), {
      code: 'invalid-catalogue',
    })
  return attacks
}

function isAttack(value: unknown): value is Attack {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    typeof value.id === 'string' &&
    'inject' in value &&
    typeof value.inject === 'function' &&
    'plane' in value &&
    'loudness' in value &&
    'attacks' in value &&
    Array.isArray(value.attacks)
  )
}
