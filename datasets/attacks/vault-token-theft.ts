import { defineAttack } from '../attack.ts'
import type { CompanyRecord } from '../company/record.ts'
import { vaultRecords } from '../company/vault-record.ts'
import { Random } from '../random.ts'

/** The Vault token of one service, used on another host of the same private network to read other teams' secrets. */
export const attack = defineAttack({
  id: 'vault-token-theft',
  title: "Vault token reads other teams' secrets",
  attacks: [
    { tactic: 'TA0006', technique: 'T1555' },
    { tactic: 'TA0005', technique: 'T1550.001' },
  ],
  loudness: 'medium',
  plane: 'vault-audit',
  inject({ company, random, at }) {
    const victim = random.pick(company.vault)
    const token = victim.tokenAt(at, 0)
    const others = company.vault.map(({ role }) => role).filter((role) => role !== victim.role)
    const paths: readonly (readonly [operation: 'list' | 'read', path: string, denied: boolean])[] = [
      ['read', 'sys/internal/ui/mounts', false],
      ['list', 'kv/metadata/', false],
      ...others
        .slice(0, 6)
        .flatMap((role) => [
          ['list', `kv/metadata/${role}/`, false] as const,
          ['read', `kv/data/${role}/database`, random.chance(0.4)] as const,
          ['read', `kv/data/${role}/partner-key`, random.chance(0.4)] as const,
        ]),
    ]
    const address = `10.20.77.${20 + random.int(200)}`
    const records = paths.flatMap(([operation, path, denied], index): readonly CompanyRecord[] => {
      const seed = random.uint32()
      const call = {
        time: at + index * 4000 + random.int(2000),
        token,
        operation,
        mount: path.startsWith('kv/') ? 'kv/' : 'sys/',
        mountType: path.startsWith('kv/') ? 'kv' : 'system',
        path,
        address,
        userAgent: 'curl/8.5.0',
        denied,
      }
      return vaultRecords(call, () => new Random(seed, index))
    })
    return { identity: victim.identity.id, records }
  },
})
