import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { conversation, facts, participant, segment, session } from './records.ts'

/** The address of a customer whose sessions have these fields, in this order of their starts. */
function address(...sessions: readonly JsonObject[]): unknown {
  const held = sessions.map((fields, i) => session([segment('interact', `10:0${i}:00`, '10:09:00')], [], fields))
  return facts(conversation([participant('customer', held.toReversed())]))['customer_address']
}

test('the caller is ani or address_from, whoever is called dnis or address_to', () => {
  const numbers = { ani: 'tel:+1 212 555 0143', dnis: 'tel:+18005550100' }
  expect(address({ direction: 'inbound', ...numbers })).toBe('+12125550143')
  expect(address({ direction: 'outbound', ...numbers })).toBe('+18005550100')
  const mail = { addressFrom: 'Ada@Example.com', addressTo: 'support@example.org' }
  expect(address({ direction: 'inbound', ...mail })).toBe('ada@example.com')
  expect(address({ direction: 'outbound', ...mail })).toBe('support@example.org')
})

test('the same person has the same address, by whatever channel and direction', () => {
  const inbound = address({ direction: 'inbound', ani: 'sip:+12125550143@gateway.example;transport=tls' })
  const callback = address({ direction: 'inbound', callbackNumbers: ['+1 (212) 555-0143'] })
  const outbound = address({ direction: 'outbound', ani: '+18005550100', dnis: 'tel:+12125550143' })
  expect(new Set([inbound, callback, outbound])).toEqual(new Set(['+12125550143']))
})

test('what is no address is passed over, session after session', () => {
  expect(address({ ani: 'sip:anonymous@anonymous.invalid' })).toBe(null)
  expect(address({ ani: 'Restricted', addressFrom: ' ', callbackNumbers: [null, 'tel:'] })).toBe(null)
  expect(address({ ani: 'unavailable' }, { ani: '+12125550143' }, { ani: '+12125550144' })).toBe('+12125550143')
  expect(address({ addressSelf: 'ada@example.com' })).toBe('ada@example.com')
  expect(address({})).toBe(null)
})

test('only the customer has one', () => {
  const held = session([segment('interact', '10:00:00', '10:09:00')], [], { ani: '+12125550143' })
  expect(facts(conversation([participant('acd', [held]), participant('agent', [held], 'u')]))['customer_address']).toBe(
    null,
  )
})
