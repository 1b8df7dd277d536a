/** What every `DiscoBus` grants to a part of this package, and to no application: neither its type nor a listing of its properties shows it. */
export interface GrantedAccess<Access> {
  /** The access that `bus` has granted. */
  (bus: object): Access;
  /** Lets whoever knows of it use `bus` by `access`. */
  grant(bus: object, access: Access): void;
  /** Whether `bus` has granted it. */
  isGrantedBy(bus: object): boolean;
}

/** Known by `name`, so that it is found on a bus of another copy of the package. */
export function grantedAccess<Access>(name: string): GrantedAccess<Access> {
  const key = Symbol.for(`nestjs-disco-bus.${name}`);
  const of = (bus: object) => (bus as { readonly [key]: Access })[key];
  return Object.assign(of, {
    grant: (bus: object, access: Access) => void Object.defineProperty(bus, key, { value: access }),
    isGrantedBy: (bus: object) => key in bus,
  });
}
