/** The permission that each endpoint we call needs; from the docs of the official SDK 259. First match wins. */
const permissions: readonly (readonly [path: RegExp, permission: string])[] = [
  [/^\/api\/v2\/analytics\/conversations\/aggregates\//, 'analytics:conversationAggregate:view'],
  [/^\/api\/v2\/analytics\/conversations\/activity\//, 'analytics:queueObservation:view'],
  [/^\/api\/v2\/analytics\/conversations(\/[^/]+)?\/details/, 'analytics:conversationDetail:view'],
  [/^\/api\/v2\/analytics\/queues\/observations\//, 'analytics:queueObservation:view'],
  [/^\/api\/v2\/analytics\/dataretention\//, 'analytics:dataRetention:view'],
  [/^\/api\/v2\/routing\/queues/, 'routing:queue:view'],
  [/^\/api\/v2\/routing\/wrapupcodes/, 'routing:wrapupCode:view'],
  [/^\/api\/v2\/routing\/skillgroups/, 'routing:skillGroup:view'],
  [/^\/api\/v2\/routing\/skills/, 'routing:skill:view'],
  [/^\/api\/v2\/flows\/outcomes/, 'architect:flowOutcome:view'],
  [/^\/api\/v2\/flows\/milestones/, 'architect:flowMilestone:view'],
  [/^\/api\/v2\/flows/, 'architect:flow:view'],
  [/^\/api\/v2\/teams/, 'groups:team:view'],
  [/^\/api\/v2\/quality\/forms\/evaluations/, 'quality:evaluationForm:view'],
  [/^\/api\/v2\/quality\/forms\/surveys/, 'quality:surveyForm:view'],
  [/^\/api\/v2\/outbound\/campaigns/, 'outbound:campaign:view'],
  [/^\/api\/v2\/conversations\/[^/]+$/, 'conversation:communication:view'],
]

/** The permission to grant when Genesys answers 403 for this path; null where none is documented. */
export function permissionFor(path: string): string | null {
  return permissions.find(([pattern]) => pattern.test(path))?.[1] ?? null
}
