import {
  annotations,
  branchesOf,
  canonical,
  covers,
  fieldsOf,
  listed,
  type Node,
  openness,
  refOf,
  resolved,
  shown,
  typesOf,
  valuesOf,
} from './schema-parts.js';

/**
 * What a change of a schema does: `narrowed`, what was written before may be refused by who reads with the new one; `widened`,
 * what is written from now on may be refused by who reads with the old one; `added`, neither; `unknown`, it cannot be compared.
 */
export type SchemaEffect = 'narrowed' | 'widened' | 'added' | 'unknown';

/** One change, at the path of a field. */
export interface SchemaChange {
  readonly path: string;
  readonly effect: SchemaEffect;
  readonly text: string;
}

/** A part of a schema, and the document that its references are found in. */
export interface Placed {
  readonly schema: unknown;
  readonly document: unknown;
}

const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const rules = ['format', 'pattern', 'multipleOf', 'uniqueItems'];
const compared = new Set([
  ...[
    'type',
    'enum',
    'const',
    'properties',
    'required',
    'additionalProperties',
    'items',
    'anyOf',
    'oneOf',
    '$ref',
  ],
  ...[...lowerBounds, ...upperBounds, ...rules],
]);

/** What is different in `now`. Of keywords that it does not know a difference is told as one that cannot be compared. */
export function schemaChanges(before: Placed, now: Placed): SchemaChange[] {
  const comparison = new Comparison(before.document, now.document);
  comparison.compare('', before.schema, now.schema);
  return comparison.changes;
}

class Comparison {
  readonly changes: SchemaChange[] = [];
  /** Pairs that are being compared: a recursive schema ends where it meets itself. */
  private readonly pairs = new Set<string>();

  constructor(
    private readonly oldDocument: unknown,
    private readonly newDocument: unknown,
  ) {}

  compare(path: string, was: unknown, is: unknown): void {
    const pair = `${refOf(was)} ${refOf(is)}`;
    const recursive = refOf(was) !== undefined && refOf(is) !== undefined;
    if (recursive && this.pairs.has(pair)) return;
    if (recursive) this.pairs.add(pair);
    const [old, next] = [resolved(was, this.oldDocument), resolved(is, this.newDocument)];
    if (old === undefined || next === undefined) this.tell(path, 'unknown', 'it refers to what is not there');
    else if (branchesOf(old) || branchesOf(next)) this.branches(path, old, next);
    else this.plain(path, old, next);
  }

  private plain(path: string, old: Node, next: Node): void {
    if (!this.types(path, old, next)) return;
    this.values(path, old, next);
    for (const keyword of [...lowerBounds, ...upperBounds])
      this.bound(path, keyword, old[keyword], next[keyword]);
    for (const keyword of rules) this.rule(path, keyword, old[keyword], next[keyword]);
    this.fields(path, old, next);
    this.items(path, old, next);
    this.others(path, old, next);
  }

  private tell(path: string, effect: SchemaEffect, text: string): void {
    this.changes.push({ path, effect, text });
  }

  /** Whether anything is left in common. */
  private types(path: string, old: Node, next: Node): boolean {
    const [before, after] = [typesOf(old), typesOf(next)];
    const lost = before.filter((type) => !covers(after, type));
    const gained = after.filter((type) => !covers(before, type));
    const text = `type ${listed(before)} is now ${listed(after)}`;
    if (lost.length > 0) this.tell(path, 'narrowed', text);
    if (gained.length > 0) this.tell(path, 'widened', text);
    return before.some((type) => covers(after, type)) || after.some((type) => covers(before, type));
  }

  private values(path: string, old: Node, next: Node): void {
    const [before, after] = [valuesOf(old), valuesOf(next)];
    if (before === undefined && after === undefined) return;
    if (before === undefined) {
      this.tell(path, 'narrowed', `only ${listed(after ?? [])} fits now`);
      return;
    }
    if (after === undefined) {
      this.tell(path, 'widened', `more than ${listed(before)} fits now`);
      return;
    }
    const [lost, gained] = [
      before.filter((v) => !after.includes(v)),
      after.filter((v) => !before.includes(v)),
    ];
    if (lost.length > 0) this.tell(path, 'narrowed', `${listed(lost)} no longer fits`);
    if (gained.length > 0) this.tell(path, 'widened', `${listed(gained)} fits as well`);
  }

  private bound(path: string, keyword: string, was: unknown, is: unknown): void {
    if (was === is) return;
    if (![was, is].every((bound) => bound === undefined || typeof bound === 'number')) {
      this.tell(path, 'unknown', `${keyword} changed`);
      return;
    }
    const sign = upperBounds.includes(keyword) ? -1 : 1;
    const free = Number.NEGATIVE_INFINITY;
    const [before, after] = [was, is].map((bound) => (bound === undefined ? free : (bound as number) * sign));
    this.tell(path, after > before ? 'narrowed' : 'widened', `${keyword} ${shown(was)} is now ${shown(is)}`);
  }

  private rule(path: string, keyword: string, was: unknown, is: unknown): void {
    if (was === is) return;
    const effect = was === undefined ? 'narrowed' : is === undefined ? 'widened' : 'unknown';
    this.tell(path, effect, `${keyword} ${shown(was)} is now ${shown(is)}`);
  }

  private fields(path: string, old: Node, next: Node): void {
    const [before, after] = [fieldsOf(old), fieldsOf(next)];
    for (const [name, field] of before.byName) {
      const at = path === '' ? name : `${path}.${name}`;
      if (!after.byName.has(name)) this.removed(at, next);
      else this.compare(at, field, after.byName.get(name));
      if (!after.byName.has(name)) continue;
      if (before.required.has(name) && !after.required.has(name))
        this.tell(at, 'widened', 'it may be absent');
      if (!before.required.has(name) && after.required.has(name))
        this.tell(at, 'narrowed', 'it is required now');
    }
    for (const name of after.byName.keys()) {
      if (before.byName.has(name)) continue;
      const at = path === '' ? name : `${path}.${name}`;
      const isRequired = after.required.has(name);
      this.tell(
        at,
        isRequired ? 'narrowed' : 'added',
        `a new field, ${isRequired ? 'required' : 'optional'}`,
      );
      if (old.additionalProperties === false) this.tell(at, 'widened', 'no other fields were taken before');
    }
    this.open(path, old, next);
  }

  private removed(at: string, next: Node): void {
    this.tell(at, 'widened', 'the field is gone: who reads it waits in vain');
    if (next.additionalProperties === false) this.tell(at, 'narrowed', 'no other fields are taken now');
  }

  private open(path: string, old: Node, next: Node): void {
    const [was, is] = [old, next].map(({ additionalProperties = true }) => additionalProperties);
    const [before, after] = [openness(was), openness(is)];
    const at = path === '' ? '*' : `${path}.*`;
    if (before === 1 && after === 1) this.compare(at, was, is);
    else if (after < before) this.tell(at, 'narrowed', 'fewer other fields are taken');
    else if (after > before) this.tell(at, 'widened', 'more other fields are taken');
  }

  private items(path: string, old: Node, next: Node): void {
    const [was, is] = [old.items, next.items];
    if (was === undefined && is === undefined) return;
    const isTuple = Array.isArray(was) && Array.isArray(is) && was.length === is.length;
    if (isTuple) {
      for (const [index, each] of was.entries()) this.compare(`${path}[${index}]`, each, is[index]);
    } else if (Array.isArray(was) || Array.isArray(is)) {
      this.tell(`${path}[]`, 'unknown', 'the places of the list changed');
    } else this.compare(`${path}[]`, was ?? true, is ?? true);
  }

  private others(path: string, old: Node, next: Node): void {
    for (const keyword of new Set([...Object.keys(old), ...Object.keys(next)])) {
      if (annotations.has(keyword) || compared.has(keyword) || keyword.startsWith('x-')) continue;
      const [before, after] = [
        canonical(old[keyword], this.oldDocument),
        canonical(next[keyword], this.newDocument),
      ];
      if (before !== after) this.tell(path, 'unknown', `${keyword} changed`);
    }
  }

  /** Alternatives: those that are the same in both are set aside, and one of each side that is left is compared. */
  private branches(path: string, old: Node, next: Node): void {
    const beside = (node: Node) => {
      const { anyOf: _any, oneOf: _one, ...rest } = branchesOf(node) ? node : ({} as Node);
      return rest;
    };
    this.others(path, beside(old), beside(next));
    const keywords = new Set([...Object.keys(beside(old)), ...Object.keys(beside(next))]);
    const mixed = [...keywords].filter((keyword) => compared.has(keyword));
    if (mixed.some((keyword) => JSON.stringify(old[keyword]) !== JSON.stringify(next[keyword])))
      this.tell(path, 'unknown', `${listed(mixed)} beside alternatives changed`);
    const lost = [...(branchesOf(old) ?? [old])];
    const gained = (branchesOf(next) ?? [next]).filter((branch) => {
      const same = lost.findIndex((each) => this.isSame(each, branch));
      if (same >= 0) lost.splice(same, 1);
      return same < 0;
    });
    if (lost.length === 1 && gained.length === 1) this.compare(path, lost[0], gained[0]);
    else if (lost.length > 0 && gained.length > 0) this.tell(path, 'unknown', 'its alternatives changed');
    else if (lost.length > 0) this.tell(path, 'narrowed', `${lost.length} of its alternatives gone`);
    else if (gained.length > 0) this.tell(path, 'widened', `${gained.length} more alternatives`);
  }

  private isSame(old: unknown, next: unknown): boolean {
    return canonical(old, this.oldDocument) === canonical(next, this.newDocument);
  }
}
