import { describe, expect, it } from 'vitest'
import { alertExplanation, alertSummary } from '../../../api/cli/alert-text.ts'
import { FAMILIES } from '../../../detectors/detector.ts'
import { loadDetectors } from '../../../detectors/detectors.ts'
import { activityAt, EXAMPLE, HOUR, MONDAY, Player, story } from '../../support/activities.ts'

const { all: detectors } = await loadDetectors()
const NASTY = '\u001b[2J\u0007\r\n\u202e\u2028"'

function alertOn(suffix: string) {
  return new Player(detectors)
    .play(story({ title: '', habit: [{ identity: { id: EXAMPLE.id + suffix } }], now: [] }).habit)
    .play([
      activityAt(MONDAY + 240 * HOUR, `uid${suffix}`, {
        identity: { id: EXAMPLE.id + suffix, humanReason: `a role${suffix}` },
        action: `cloudtrail:StopLogging${suffix}`,
        service: `cloudtrail${suffix}`,
        effect: 'audit-tampering',
        errorCode: `Denied${suffix}`,
        resources: [`trail${suffix}`],
        userAgentFamily: `curl${suffix}`,
        origin: {
          kind: 'public',
          country: `VN${suffix}`,
          network: `net${suffix}`,
          address: '203.0.113.7',
          prefix: '203.0.113.0/24',
        },
      }),
    ])
    .onlyAlert()
}

describe('an alert in the terminal', () => {
  const alert = alertOn('')

  it('says who, when, what of each family, and what would have kept it silent', () => {
    const text = alertExplanation(alert)
    for (const family of FAMILIES) expect(text).toContain(family)
    expect(text).toContain(EXAMPLE.id)
    expect(text).toContain('2026-03-12 00:00:00')
    expect(text).toContain('a contradiction, needs no history')
    expect(text).toContain(
      'It would have stayed silent without the events of: audit-trail-tampering "cloudtrail:StopLogging"',
    )
    expect(alertSummary(alert, 'create')).toMatch(/^ALERT CRITICAL /)
    expect(alertSummary(alert, 'update')).toMatch(/^ALERT grew CRITICAL /)
  })

  it('never hands the terminal what an attacker wrote', () => {
    const nasty = alertOn(NASTY)
    for (const text of [alertExplanation(nasty), alertSummary(nasty, 'create')]) {
      expect(text.replaceAll('\n', ' ')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      // No line but ours: the injected breaks are gone.
      expect(text.split('\n').length).toBeLessThanOrEqual(alertExplanation(alert).split('\n').length + 2)
    }
  })
})
