import type { KnownValue } from '../features/known-value.ts'
import type { Detector, SignalDraft } from './detector.ts'

/** The strongest that one detector said of one unit. */
export interface Signal {
  readonly detector: Detector
  draft: SignalDraft
  /** Calibrated p-value of `draft.score`. */
  p: number
  /** uids of the activities that made it speak, the first 20. */
  readonly evidence: string[]
  firstTime: number
  lastTime: number
}

/** What is thought of an open unit so far. */
export interface UnitVerdict {
  readonly signals: Map<string, Signal>
  /** Next count at which count detectors are asked again, by what they count. */
  readonly checkpoints: { events: number; actions: number; resources: number; denied: number }
  /** −ln of the combined p*, the largest so far. */
  surprise: number
  /** Damped sum over families, in nats, before its own calibration. */
  combined: number
  readonly campaigns: Record<CampaignWindow, number>
  alerted: boolean
  /** Whether any of its activities was scored: those of people are not. */
  scored: boolean
  /** Values that must not be learnt at once, with the reason. */
  readonly suspicions: Map<KnownValue, string>
  readonly sensitive: Set<KnownValue>
}

/** A statistical signal at or below this calibrated p is worth naming beside the one that crossed. */
export const SUPPORTING_P = 0.05

export type CampaignWindow = 'campaign-24h' | 'campaign-6d'

export const newVerdict = (): UnitVerdict => ({
  signals: new Map(),
  checkpoints: { events: 1, actions: 2, resources: 2, denied: 1 },
  surprise: 0,
  combined: 0,
  campaigns: { 'campaign-24h': 0, 'campaign-6d': 0 },
  alerted: false,
  scored: false,
  suspicions: new Map(),
  sensitive: new Set(),
})

/** The next count worth asking at: every one up to ten, then every +20 %. */
export const nextCheckpoint = (count: number): number => Math.max(count + 1, Math.ceil(count * 1.2))
