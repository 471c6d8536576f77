import { describe, expect, expectTypeOf, it } from 'vitest'

import { columnIndex, columnsOf, dataColumnsOf, snakeCase, tables } from '../../src/model/columns.ts'
import type { GenesysTables } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { model } from '../../src/model/model.ts'

describe('columns', () => {
  it.each([
    ['conversationStart', 'conversation_start'],
    ['mediaStatsMinConversationRFactor', 'media_stats_min_conversation_r_factor'],
    ['q850ResponseCodes', 'q850_response_codes'],
    ['oTotalScore', 'o_total_score'],
    ['nNextContactAvoided', 'n_next_contact_avoided'],
    ['minRFactor', 'min_r_factor'],
    ['maxLatencyMs', 'max_latency_ms'],
  ])('the API field %s becomes the column %s', (api, name) => {
    expect(snakeCase(api)).toBe(name)
  })

  it('every table has unique, described columns, one for every API field', () => {
    for (const table of tables) {
      const columns = columnsOf(table)
      expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length)
      expect(columns.filter(({ description }) => description.length < 10)).toEqual([])
      expect(columns.flatMap(({ api }) => api ?? []).toSorted()).toEqual(Object.keys(model[table].fields).toSorted())
    }
  })

  it('columns begin with key and position and end with our own metadata', () => {
    expect(
      columnsOf('segments')
        .map(({ name }) => name)
        .slice(0, 8),
    ).toEqual([
      'conversation_id',
      'conversation_start',
      '_index',
      '_participant_index',
      '_session_index',
      'participant_id',
      'session_id',
      'audio_muted',
    ])
    expect(columnsOf('session_metrics').map(({ name }) => name)).toEqual([
      'conversation_id',
      'conversation_start',
      '_index',
      '_session_index',
      'emit_date',
      'name',
      'value',
      '_extra',
    ])
    expect(
      columnsOf('conversations')
        .map(({ name }) => name)
        .slice(-5),
    ).toEqual(['_extra', '_loaded_at', '_source', '_run_id', '_missing_since'])
    expect(dataColumnsOf('conversations').at(-1)?.name).toBe('_extra')
  })

  it('columnIndex finds a column by name and throws for an unknown one', () => {
    expect(columnIndex('participants', '_index')).toBe(2)
    expect(() => columnIndex('participants', 'ani')).toThrow('genesys.participants has no column ani')
  })

  it('columns with personal data are marked, _extra among them', () => {
    const personal = (table: 'sessions' | 'segments') =>
      columnsOf(table)
        .filter((column) => column.personal)
        .map(({ name }) => name)
    expect(personal('sessions')).toEqual(
      expect.arrayContaining(['ani', 'dnis', 'address_from', 'callback_numbers', '_extra']),
    )
    expect(personal('segments')).toEqual(['subject', 'wrap_up_note', '_extra'])
  })

  it('the Kysely types of the tables match the columns (checked by the compiler only)', () => {
    expectTypeOf<GenesysTables['segments']['q850_response_codes']>().toEqualTypeOf<(number | bigint | null)[] | null>()
    expectTypeOf<GenesysTables['conversations']['division_ids']>().toEqualTypeOf<(string | null)[] | null>()
    expectTypeOf<GenesysTables['conversations']['media_stats_min_conversation_r_factor']>().toEqualTypeOf<
      number | null
    >()
    expectTypeOf<GenesysTables<Date>['conversations']['conversation_start']>().toEqualTypeOf<Date>()
    expectTypeOf<GenesysTables['conversations']['_source']>().toEqualTypeOf<string>()
    expectTypeOf<GenesysTables['sessions']['_extra']>().toEqualTypeOf<JsonObject | null>()
    expectTypeOf<GenesysTables['session_metrics']>().not.toHaveProperty('participant_id')
    expectTypeOf<GenesysTables['participants']>().not.toHaveProperty('_loaded_at')
  })
})
