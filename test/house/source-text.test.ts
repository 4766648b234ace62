import { describe, expect, it } from 'vitest'
import { COMPUTED, dissect, importsOf, lineOf, packageOf, resolveFrom } from './source-text.ts'

const imports = (text: string): readonly string[] => importsOf(dissect(text))

describe('dissect', () => {
  it('tells code from comments, strings, templates and regular expressions', () => {
    const text = `const a = "b // c" // d\nconst e = \`f \${g /* h */} i\`\nconst j = /[/]k"/u.test(l) / m`
    const { code, comments, strings } = dissect(text)
    expect(code).toHaveLength(text.length)
    expect(code.replaceAll(' ', '')).toBe(`consta=""\nconste=\`\${g}\`\nconstj=//u.test(l)/m`)
    expect(comments.replaceAll(/\s+/g, ' ').trim()).toBe('// d /* h */')
    expect([...strings.values()]).toEqual(['b // c'])
  })
  it('finds its way out of nested templates and braces', () => {
    const { code } = dissect(`\`A\${{ b: \`C\${"}"}D\` }.b}E\`; Date.now()`)
    expect(code.replaceAll(' ', '')).toBe(`\`\${{b:\`\${""}\`}.b}\`;Date.now()`)
  })
  it('survives what never ends', () => {
    for (const text of ['"abc', `\`abc\${d`, '/* abc', '// abc', '/abc', "'a\\", '`a\\'])
      expect(dissect(text).code).toHaveLength(text.length)
  })
  it('counts lines', () => expect(lineOf('a\nb\nc', 4)).toBe(3))
})

describe('importsOf', () => {
  it('sees every way to refer to a module', () => {
    expect(
      imports(`
        import a, { type b } from './a.ts'
        import type { c } from "./c.ts"
        import {
          d,
        } from 'pkg/deep'
        import 'side'
        export * from './e.ts'
        export { f } from './f.ts'
        const g = await import('./g.ts')
        type H = typeof import('h')
        const i = await import(name)
        new Worker(new URL('./j.ts', import.meta.url))
        const k = require('k')
      `),
    ).toEqual([
      './a.ts',
      './c.ts',
      'pkg/deep',
      'side',
      './e.ts',
      './f.ts',
      './g.ts',
      'h',
      COMPUTED,
      'k',
      './j.ts',
    ])
  })
  it('takes no comment, sentence or method for an import', () => {
    expect(
      imports(`
        // import x from './x.ts'
        /* import('y') */
        const text = "import z from 'z'"
        const list = Array.from('abc')
        const url = import.meta.url
      `),
    ).toEqual([])
  })
})

it('resolves paths and packages', () => {
  expect(resolveFrom('detectors/catalog/a.ts', '../../features/b.ts')).toBe('features/b.ts')
  expect(resolveFrom('detectors/a.ts', 'zod')).toBeUndefined()
  expect(packageOf('chdb/connection')).toBe('chdb')
  expect(packageOf('@clickhouse/client/x')).toBe('@clickhouse/client')
})
