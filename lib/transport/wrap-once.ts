/** What stands in the place of methods, made once for each copy of Nest. */
const wrapped = new WeakSet<object>();

/** Puts what `wrap` makes of the method `name` in its place, for all instances of its class; does nothing where that was done before. */
export function wrapOnce<Prototype extends Record<Name, object>, Name extends keyof Prototype>(
  prototype: Prototype,
  name: Name,
  wrap: (method: Prototype[Name]) => Prototype[Name],
): void {
  const method = prototype[name];
  if (wrapped.has(method)) return;
  const wrapping = wrap(method);
  wrapped.add(wrapping);
  prototype[name] = wrapping;
}
