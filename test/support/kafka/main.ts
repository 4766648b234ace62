import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { startBroker } from './broker.ts'
import { PASSWORD, USERNAME } from './security.ts'

/**
 * A broker by hand, until Ctrl-C:
 * `npx tsc -p test/support/kafka && node dist/test/support/kafka/main.js [--secure SASL_SSL] [--check]`.
 * With `--check` it only proves that a broker can be started here.
 */
const { values } = parseArgs({ options: { secure: { type: 'string' }, check: { type: 'boolean' } } })
const secure = (['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const).find((protocol) => protocol === values.secure)
if (values.secure !== undefined && secure === undefined)
  throw new Error(`--secure ${values.secure}: SSL, SASL_PLAINTEXT or SASL_SSL`)

const started = performance.now()
const broker = await startBroker({
  ...(secure === undefined ? {} : { secure }),
  properties: { 'auto.create.topics.enable': 'true' },
})
console.log(`Kafka at ${broker.address} after ${((performance.now() - started) / 1000).toFixed(1)} s`)
if (values.check !== true) {
  if (secure !== undefined) {
    console.log(`${secure} at ${broker.secureAddress}, user ${USERNAME}, password ${PASSWORD}`)
    console.log(broker.security.ca)
  }
  console.log(`process ${broker.pid}, log ${broker.log}, Ctrl-C to end`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
}
await broker.remove()
