import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { reportCsv } from '../../src/http/report-csv.ts'
import type { Group } from '../../src/reporting/report-query.ts'
import { defaultSort, FIGURES_OF, type FigureName } from '../../src/reporting/report-request.ts'

const figures = (values: Partial<Group['figures']> = {}): Group['figures'] => {
  const names = new Set<FigureName>([...FIGURES_OF.queue, ...FIGURES_OF.agent])
  return { ...(Object.fromEntries([...names].map((name) => [name, null])) as Group['figures']), ...values }
}
const group = (id: string | null, name: string | null, values?: Partial<Group['figures']>): Group => ({
  id,
  name,
  team: null,
  figures: figures(values),
})
const csv = (groups: readonly Group[]): string => reportCsv({ by: 'queue', sort: defaultSort('queue') }, { groups })
const records = (text: string): string[][] => parse(text, { bom: true })

test('has the names of the views as a header, CRLF, a byte order mark, and raw numbers in the order of the page', () => {
  const groups = [
    group('q1', 'Billing', { offered: 3, answered: 2, service_level: 2 / 3, average_speed_of_answer_seconds: 12.5 }),
    group(null, null, { offered: 9 }),
  ]
  expect(csv(groups)).toBe(
    '\ufeffqueue_id,queue_name,offered,answered,abandoned,abandon_rate,service_level,average_speed_of_answer_seconds,average_handle_seconds\r\n' +
      ',,9,,,,,,\r\n' +
      'q1,Billing,3,2,,,0.6666666666666666,12.5,\r\n',
  )
})

test('an agent has a team, a media type only itself', () => {
  const agent = { ...group('u1', 'Ada'), team: 'Early Birds' }
  const text = reportCsv({ by: 'agent', sort: defaultSort('agent') }, { groups: [agent] })
  expect(records(text)[1]!.slice(0, 4)).toEqual(['u1', 'Ada', 'Early Birds', ''])
  const media = reportCsv({ by: 'media', sort: defaultSort('media') }, { groups: [group('voice', 'voice')] })
  expect(records(media).map((record) => record[0])).toEqual(['media_type', 'voice'])
})

test.each(['=1+1', '+1', '-1+cmd', '@SUM(A1)', '\t=1', '\r=1', '＝1+1', '=HYPERLINK("http://x")'])(
  'the name %j is no formula in a spreadsheet',
  (name) => {
    expect(records(csv([group('q1', name)]))[1]![1]).toBe(`'${name}`)
  },
)

test('whatever names are, a parser reads them back, and none begins a formula', () => {
  const special = fc.constantFrom('"', ',', '\r', '\n', '=', '+', '-', '@', ';', 'ü', '日', '\u202e', "'", '＝')
  const name = fc.oneof(fc.string(), fc.string({ unit: special }))
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), (names) => {
      const read = records(csv(names.map((each, index) => group(`q${index}`, each, { offered: 9 - index }))))
      expect(read).toHaveLength(names.length + 1)
      const found = new Map(read.slice(1).map(([id, text]) => [id, text]))
      for (const [index, each] of names.entries()) {
        const text = found.get(`q${index}`)!
        expect([each, `'${each}`]).toContain(text)
        expect(text).not.toMatch(/^[=+\-@\t\r＝＋－＠]/)
      }
    }),
  )
})
