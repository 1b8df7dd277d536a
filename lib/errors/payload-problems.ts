/** Problems that an error tells; what is more is left out. */
const MAX_PROBLEMS = 5;
const MAX_PROBLEM_LENGTH = 200;
/** The deepest nesting of one validation error in another that is looked at. */
const MAX_LEVELS = 16;

/** What a validator says of one value: class-validator's ValidationError, or an issue of zod, valibot and their like. */
interface Problem {
  readonly property?: unknown;
  readonly constraints?: unknown;
  readonly children?: unknown;
  readonly path?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
}

/**
 * What the error of a validating pipe says is wrong, field and rule, at most five; undefined where it is no such error. It is
 * one where its HTTP status is 400 or 422, where it is an RpcException, or where it has `issues`, as a ZodError has.
 */
export function payloadProblems(error: unknown): readonly string[] | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const said = saidBy(error as ValidatorError);
  if (said === undefined) return undefined;
  const problems = problemsIn(said, '', 0).filter((problem) => problem !== '');
  const told = problems.length > 0 ? problems : [textOf((error as Error).message)];
  return told.slice(0, MAX_PROBLEMS).map((problem) => problem.slice(0, MAX_PROBLEM_LENGTH));
}

interface ValidatorError {
  readonly issues?: unknown;
  readonly cause?: unknown;
  readonly message?: unknown;
  getStatus?(): unknown;
  getResponse?(): unknown;
  getError?(): unknown;
}

/** The part of an error that tells of problems; undefined where the error is none of a validator. */
function saidBy(error: ValidatorError): unknown {
  if (Array.isArray(error.issues)) return error.issues;
  if (typeof error.getError === 'function') return bodyOf(error.getError());
  if (typeof error.getStatus !== 'function' || ![400, 422].includes(error.getStatus() as number))
    return undefined;
  const { issues } = (error.cause ?? {}) as ValidatorError;
  return Array.isArray(issues) ? issues : bodyOf(error.getResponse?.());
}

/** What stands in the body of an exception, in the places where validating pipes put it. */
function bodyOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body ?? '';
  const { issues, errors, message } = body as { issues?: unknown; errors?: unknown; message?: unknown };
  return [issues, errors].find(Array.isArray) ?? message ?? '';
}

function problemsIn(said: unknown, parent: string, level: number): string[] {
  if (level > MAX_LEVELS) return [];
  if (typeof said === 'string') return [textOf(said)];
  if (Array.isArray(said)) {
    return said.slice(0, MAX_PROBLEMS).flatMap((each) => problemsIn(each, parent, level + 1));
  }
  if (typeof said !== 'object' || said === null) return [];
  const problem = said as Problem;
  if (typeof problem.property === 'string') return validationError(problem, parent, level);
  if (Array.isArray(problem.path) || typeof problem.code === 'string') return [issue(problem)];
  // Messages that are grouped by their fields.
  return Object.entries(said).flatMap(([field, messages]) =>
    problemsIn(messages, parent, level + 1).map((message) => `${field}: ${message}`),
  );
}

function validationError(
  { property, constraints, children }: Problem,
  parent: string,
  level: number,
): string[] {
  const path = parent === '' ? textOf(property) : `${parent}.${textOf(property)}`;
  const rules = typeof constraints === 'object' && constraints !== null ? Object.keys(constraints) : [];
  const own = rules.length > 0 ? [`${path}: ${rules.join(', ')}`] : [];
  return [...own, ...problemsIn(children ?? [], path, level + 1)];
}

/** The rule by its name: the message of an issue may quote the value. */
function issue({ path, code, type }: Problem): string {
  const rule = [code, type].find((name) => typeof name === 'string');
  return rule === undefined ? fieldOf(path) : `${fieldOf(path)}: ${textOf(rule)}`;
}

/** Where an issue stands within a payload, as `items.0.count`. */
export function fieldOf(path: unknown): string {
  const parts = Array.isArray(path) ? path : [];
  const keys = parts.map((part) => {
    const key = typeof part === 'object' && part !== null ? (part as { key?: unknown }).key : part;
    return String(key).slice(0, 40);
  });
  return keys.length > 0 ? keys.join('.') : 'the value itself';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
