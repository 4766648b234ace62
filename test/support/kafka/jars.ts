import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** Apache Kafka as jars, assembled once by Maven into `.cache/`, which git ignores. */
const VERSION = '4.1.0'
const POM = 'test/support/kafka/pom.xml'
const JAVA = 17
const run = promisify(execFile)

/** The checkout: compiled copies of this file run from `dist` or from a temporary folder. */
const ROOT = [...ancestors(import.meta.dirname), ...ancestors(process.cwd())].find((folder) =>
  existsSync(join(folder, POM)),
)
const CACHE = join(ROOT ?? process.cwd(), '.cache', `kafka-${VERSION}`)
export const KAFKA_LIBS = join(CACHE, 'libs')

/**
 * Whether tests may start a broker; the jars are there afterwards. False, loudly, on a machine without Java 17 or Maven. In
 * CI that is an error, because a skipped test reads like one that passed.
 */
export async function kafkaAvailable(): Promise<boolean> {
  try {
    await requireJava()
    await assembleKafka()
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    if (process.env.CI !== undefined)
      throw new Error(`CI needs Java ${JAVA} and Maven for Kafka: ${reason}`, { cause: error })
    console.warn(`SKIPPED: tests against Apache Kafka, which need Java ${JAVA} and Maven (${reason})`)
    return false
  }
}

async function requireJava(): Promise<void> {
  const { stderr } = await run('java', ['-version'])
  const version = /version "(\d+)/.exec(stderr)?.[1]
  if (Number(version) < JAVA) throw new Error(`this is Java ${version}`)
}

/** Fetches the jars unless they are there. Two processes at once each make their own and one wins: a rename is whole. */
export async function assembleKafka(): Promise<void> {
  if (existsSync(KAFKA_LIBS)) return
  if (ROOT === undefined) throw new Error(`${POM} is nowhere above ${process.cwd()}`)
  mkdirSync(CACHE, { recursive: true })
  const made = mkdtempSync(join(CACHE, 'making-'))
  try {
    await run('mvn', [
      '-q',
      '-B',
      '-f',
      join(ROOT, POM),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${join(made, 'libs')}`,
    ])
    if (!existsSync(KAFKA_LIBS)) renameSync(join(made, 'libs'), KAFKA_LIBS)
  } catch (error) {
    if (!existsSync(KAFKA_LIBS)) throw error
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

function ancestors(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...ancestors(parent)]
}
