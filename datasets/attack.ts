import type { Company } from './company/company.ts'
import { eventIdOf } from './company/event-id.ts'
import type { CompanyRecord, CompanySource } from './company/record.ts'
import { hashText, Random } from './random.ts'

/**
 * Vocabulary of an attack file (`datasets/attacks/<id>.ts`, found by scanning; the id is the file name):
 *
 * - **loudness**: `loud` contradicts what is known (another country, a self-grant); `medium` is a clear novelty in the
 *   usual place; `stealthy` uses known calls or a known place, or takes days.
 * - **victim**: the identity in whose name it happens: the one an alert must name.
 */
export type Loudness = 'loud' | 'medium' | 'stealthy'

export interface AttackInput {
  readonly company: Company
  /** Seeded by the caller: the same seed chooses the same victim and writes the same bytes. */
  readonly random: Random
  /** When it begins, epoch ms. */
  readonly at: number
}

export interface Injection {
  /** Canonical id of the victim. */
  readonly identity: string
  /** In order of time. All of them are malicious. */
  readonly records: readonly CompanyRecord[]
  /** The producer's event ids of the records, each once (Vault's two lines of a request share one). */
  readonly malicious: readonly string[]
}

export interface AttackText {
  readonly id: string
  readonly title: string
  readonly attacks: readonly { readonly tactic: string; readonly technique: string }[]
  readonly loudness: Loudness
  readonly plane: CompanySource
}

export interface Attack extends AttackText {
  readonly inject: (input: AttackInput) => Injection
}

/** Completes an attack: its records in order of time, with their event ids. */
export function defineAttack(
  definition: AttackText & {
    readonly inject: (input: AttackInput) => {
      readonly identity: string
      readonly records: readonly CompanyRecord[]
    }
  },
): Attack {
  return {
    ...definition,
    inject(input) {
      // Callers tend to give every attack the same seed; event ids must differ all the same, or one would swallow the other.
      const random = new Random(input.random.uint32(), input.random.uint32(), hashText(definition.id))
      const { identity, records } = definition.inject({ ...input, random })
      const sorted = [...records].sort((a, b) => a.time - b.time)
      return { identity, records: sorted, malicious: [...new Set(sorted.map(eventIdOf))] }
    },
  }
}
