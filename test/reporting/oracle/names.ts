/** The lists of reference data whose names stand beside ids. */
export const nameLists = [
  'queues', 'users', 'teams', 'campaigns', 'skills', 'languages', 'flows', 'flow_outcomes', 'wrap_up_codes', 'evaluation_forms', 'survey_forms',
] as const // prettier-ignore

/** Names by list and id; a list may lack some. */
export type Names = Readonly<Record<(typeof nameLists)[number], ReadonlyMap<string, string>>>

/** The name; the id where it is unknown; null without an id. */
export function nameOf(list: ReadonlyMap<string, string>, id: string | null): string | null {
  return id === null ? null : (list.get(id) ?? id)
}
