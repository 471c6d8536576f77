/** A number that a double can't hold exactly, as its JSON text: what `JSON.rawJSON` makes. */
export interface RawNumber {
  readonly rawJSON: string
}

/** Any JSON value, as parseJson gives it. */
export type JsonValue = null | boolean | number | string | RawNumber | readonly JsonValue[] | JsonObject

/** A JSON object. It may have an own key `__proto__`: write to one with `put`. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}
