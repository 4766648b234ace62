import { expect, it } from 'vitest'
import { loadDetectors } from '../../../detectors/detectors.ts'
import { activityAt, MONDAY, Player } from '../../support/activities.ts'

const { all: detectors } = await loadDetectors()

it.each([
  ['delete validatingadmissionpolicies', 'admission-policy', 'an admission policy'],
  ['guardduty.amazonaws.com:DeleteDetector', 'threat-detection', 'threat detection'],
  ['cloudtrail.amazonaws.com:StopLogging', undefined, 'the audit trail'],
  ['x', 'a text from elsewhere', 'the audit trail'],
])('says what was tampered with by %s', (action, guard, what) => {
  const player = new Player(detectors).play([
    activityAt(MONDAY, 'a', {
      action,
      effect: 'audit-tampering',
      details: guard === undefined ? {} : { guard },
    }),
  ])
  const [cause] = player.onlyAlert().causes
  expect(cause?.text).toContain(`Tampered with ${what}`)
  expect(cause?.observed.what).toContain(what)
})
