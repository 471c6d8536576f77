/**
 * Wrap-up codes that Genesys Cloud itself sets and no list of the API has: those of the page "Wrap-up codes assigned by outbound dialing" of
 * its help, others that occur in records of real organizations, and those of after-call work. Names and descriptions are ours. A code that
 * is not here has no name, and shows as its id.
 */
const outbound: Readonly<Record<string, string>> = {
  'AMBIGUOUS': 'What happened to the call is not known.',
  'AUTOMATIC-TIMEZONE-BLOCKED': 'The time zone of the number does not allow a call now.',
  'AUTOMATIC-TIME-ZONE-BLOCKED-SKIPPED': 'The time zone of the number does not allow a call now, so it was skipped.',
  'BUSY': 'The line was busy.',
  'CALLBACK-DISCONNECT': 'A callback was disconnected.',
  'CAMPAIGN-FORCED-OFF': 'The campaign was stopped at once while the call was under way.',
  'CAMPAIGN-RECYCLE-CANCELLED-RECALL': 'A planned further attempt was dropped, because the campaign began again.',
  'CONTACT-ATTEMPT-LIMIT-SKIPPED': 'The contact has been tried as often as the limits of attempts allow.',
  'CONTACT-NOT-FOUND': 'The contact is no longer in its list.',
  'CONTACT-UNCALLABLE-SKIPPED': 'The contact is marked as one that must not be called.',
  'DISCONNECT': 'The call was disconnected before an agent or a flow had it.',
  'DNC-AUTHENTICATION-FAILED': 'The external do-not-call list did not accept the login.',
  'DNC-SKIPPED': 'The number is on a do-not-call list, so the preview was skipped.',
  'EXTERNALLY-THROTTLED': 'The carrier or the network refused the call for too many at once.',
  'FAILED-TO-REACH-AGENT': 'The person answered, and the call ended before an agent had it.',
  'FAILED-TO-REACH-FLOW': 'The person answered, and the call ended before a flow had it.',
  'FAX': 'A fax machine answered.',
  'INTERNAL-ERROR-SKIPPED': 'The number was skipped because of an internal error.',
  'INVALID-PHONE-NUMBER': 'The number is not valid.',
  'LINE-CONNECTED': 'The line was connected, and nothing more was found out.',
  'LIVE-VOICE': 'A person answered.',
  'MACHINE': 'An answering machine answered.',
  'NO-ACTIVE-EDGES': 'No edge was there to place the call.',
  'NO-ANSWER': 'Nobody answered.',
  'NO-CALLABLE-NUMBERS-SKIPPED': 'The contact has no number that may be called.',
  'NOT-CALLABLE-TIME': 'The contact must not be called at this time.',
  'NOT-TRANSFERRED-TO-FLOW': 'The call could not be handed to a flow.',
  'NUMBER-ATTEMPT-LIMIT-SKIPPED': 'The number has been tried as often as the limits of attempts allow.',
  'NUMBER-UNCALLABLE-SKIPPED': 'The number is marked as one that must not be called.',
  'NUMBER_COULD_NOT_BE_DIALED': 'The number could not be dialed.',
  'ON-DO-NOT-CALL-LIST': 'The number is on a do-not-call list.',
  'PREVIEW-ERROR-PHONE-NUMBER': 'The number of a preview is not valid.',
  'PREVIEW-SKIPPED': 'The agent skipped the preview.',
  'RECALL-CANCELLED': 'A planned further attempt was dropped.',
  'RULE-ERROR-SKIPPED': 'A rule of the campaign failed, so the number was skipped.',
  'RULE-SKIPPED': 'A rule of the campaign skipped the number.',
  'SIT-CALLABLE': 'The network answered with a tone; the number may be tried again.',
  'SIT-UNCALLABLE': 'The network answered with a tone; the number does not exist.',
  'STUCK-INTERACTION': 'The call hung and was ended by the system.',
  'TRANSFERRED-TO-FLOW': 'The call was handed to a flow.',
  'TRANSFERRED-TO-QUEUE': 'The call was handed to a queue.',
  'ZONE-BLOCKED-SKIPPED': 'The zone of the number must not be called at this time, so it was skipped.',
} // prettier-ignore

const afterCallWork: Readonly<Record<string, string>> = {
  'ININ-WRAP-UP-SKIPPED': 'The agent was not asked for a wrap-up code.',
  'ININ-WRAP-UP-TIMEOUT': 'The time for after-call work ended before the agent had chosen a code.',
}

/** By id: name and description. */
export const SYSTEM_WRAP_UP_CODES: Readonly<Record<string, { readonly name: string; readonly description: string }>> =
  Object.fromEntries(
    [
      ...Object.entries(afterCallWork),
      ...Object.entries(outbound).map(([code, description]) => [`ININ-OUTBOUND-${code}`, description] as const),
    ].map(([id, description]) => [id, { name: nameOf(id), description }]),
  )

/** ININ-OUTBOUND-NO-ANSWER → Outbound: no answer. */
function nameOf(id: string): string {
  const [, group = '', rest = ''] = /^ININ-(OUTBOUND|WRAP-UP)-(.*)$/.exec(id) ?? []
  return `${group === 'OUTBOUND' ? 'Outbound' : 'Wrap-up'}: ${rest.toLowerCase().replaceAll(/[-_]/g, ' ')}`
}
