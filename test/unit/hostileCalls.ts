/** Calls of the addon that nobody should make, by kind: wrong values, wrong objects, and JavaScript that runs where none is expected. */
import { at, changed, pathsOf, subjects, target, targets, wrongValues, type Subjects, type Target } from "./hostileSubjects";

export interface Call {
  name: string;
  /** Whether it must throw or reject; otherwise it may do so. */
  refused: boolean;
  make: (on: Subjects) => unknown;
}

/** Called as they should be, on the object that they are of. */
const call = ({ on, name }: Target, subject: Subjects, args: unknown[]): unknown => subject[on][name]!(...args);
const title = ({ on, name }: Target): string => `${on}.${name}`;

/** Every argument and every property of one, in turn replaced by every wrong value. */
async function values(): Promise<Call[]> {
  const wrong = wrongValues(await subjects());
  return targets.flatMap((each) =>
    pathsOf(each.args()).flatMap((path) =>
      wrong.map(({ name, never, value }) => ({
        name: `${title(each)} with ${name} at ${path.join(".")}`,
        refused: never,
        make: (on: Subjects) => call(each, on, changed(each.args(), path, { value, writable: true })),
      })),
    ),
  );
}

/** Every method and accessor, taken from its object and called on another. */
function receivers(): Call[] {
  const others: Record<string, (on: Subjects, own: "engine" | "optimizer") => unknown> = {
    undefined: () => undefined,
    "a number": () => 1,
    "an object": () => ({}),
    "a Map": () => new Map(),
    "the other kind": ({ engine, optimizer }, own) => (own === "engine" ? optimizer : engine),
    "its prototype": (on, own) => Object.getPrototypeOf(on[own]) as unknown,
    "an heir": (on, own) => Object.create(on[own]) as unknown,
    "a proxy": (on, own) => new Proxy(on[own], {}),
    "the global object": () => globalThis,
  };
  const members = {
    engine: [...targets.filter(({ on }) => on === "engine").map(({ name }) => name), "memory", "backend"],
    optimizer: [] as string[],
  };
  members.optimizer = targets.filter(({ on }) => on === "optimizer").map(({ name }) => name);
  return (["engine", "optimizer"] as const).flatMap((own) =>
    members[own].flatMap((name) =>
      Object.entries(others).map(([other, find]) => ({
        name: `${own}.${name} on ${other}`,
        refused: true,
        make: (on: Subjects) => {
          const { get, value } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(on[own]), name)!;
          const args = targets.find((each) => each.on === own && each.name === name)?.args() ?? [];
          return Reflect.apply((get ?? value) as () => unknown, find(on, own), args);
        },
      })),
    ),
  );
}

/** Constructors are within reach of whoever has an object. */
function constructors(): Call[] {
  type Constructor = new (...args: unknown[]) => object;
  const ways: Record<string, (made: Constructor, on: Subjects) => unknown> = {
    "without new": (made) => Reflect.apply(made, undefined, []),
    "on an engine": (made, on) => Reflect.apply(made, on.engine, []),
    "with an External": (made, on) => new made(wrongValues(on).find(({ name }) => name === "an External")!.value),
    "with nothing": (made) => new made(),
    "with an object": (made) => new made({}),
    "as another": (made) => Reflect.construct(made, [], Map),
    "of an heir": (made) => new (class extends made {})(),
    "of a getter's target": (made) =>
      Reflect.construct(made, [], new Proxy(made, { get: (from, key) => (key === "prototype" ? new made() : Reflect.get(from, key)) })),
  };
  return (["engine", "optimizer"] as const).flatMap((own) =>
    Object.entries(ways).map(([way, make]) => ({
      name: `the constructor of ${own}, ${way}`,
      refused: true,
      make: (on: Subjects) => make(on[own].constructor as unknown as Constructor, on),
    })),
  );
}

/** What a getter can get at. */
interface Scene extends Subjects {
  call: (args: unknown[]) => unknown;
  args: unknown[];
  fresh: () => unknown[];
  buffers: { resize(bytes: number): void }[];
  arrays: unknown[][];
}

const throwing = (thrown: unknown) => () => {
  throw thrown;
};

const acts: Record<string, { refused: boolean; act: (scene: Scene) => unknown }> = {
  "throws an error": { refused: true, act: throwing(new Error("a getter")) },
  "throws nothing": { refused: true, act: throwing(undefined) },
  "throws a symbol": { refused: true, act: throwing(Symbol("s")) },
  "throws what is frozen": { refused: true, act: throwing(Object.freeze({})) },
  disposes: { refused: false, act: ({ engine, optimizer }) => [engine.dispose!(), optimizer.dispose!()] },
  "calls again": { refused: false, act: ({ call, fresh }) => call(fresh()) },
  "shrinks every buffer": { refused: false, act: ({ buffers }) => buffers.forEach((buffer) => buffer.resize(0)) },
  "detaches every buffer": {
    refused: false,
    act: ({ buffers }) => buffers.forEach((buffer) => structuredClone(buffer, { transfer: [buffer as unknown as ArrayBuffer] })),
  },
  "empties every array": { refused: false, act: ({ arrays }) => arrays.forEach((array) => (array.length = 0)) },
};

/** Once a function: it takes all of the stack. */
const forEver = { refused: false, act: ({ call, args }: Scene) => call(args) };

/** Every property of an argument as a getter that does something, and then gives what is right. */
function getters(): Call[] {
  return targets.flatMap((each) =>
    pathsOf(each.args())
      .filter((path) => path.length > 1)
      .flatMap((path, index) =>
        Object.entries({ ...acts, ...(index === 0 && { "calls for ever": forEver }) }).map(([way, { refused, act }]) => ({
          name: `${title(each)} with a getter at ${path.join(".")} that ${way}`,
          refused,
          make: (on: Subjects) => {
            const args = each.args();
            const right = at(args, path);
            const inside = pathsOf(args).map((part) => at(args, part));
            const scene: Scene = {
              ...on,
              call: (again) => call(each, on, again),
              args,
              fresh: each.args,
              buffers: inside.filter(isView).map(({ buffer }) => buffer as unknown as Scene["buffers"][number]),
              arrays: inside.filter((part) => Array.isArray(part)),
            };
            return call(
              each,
              on,
              changed(args, path, {
                get: () => {
                  swallow(act(scene));
                  return right;
                },
              }),
            );
          },
        })),
      ),
  );
}

const isView = (value: unknown): value is ArrayBufferView => ArrayBuffer.isView(value);

/** What comes of a promise that nobody looks at. */
function swallow(value: unknown): void {
  if (value instanceof Promise) value.catch(() => {});
}

/** Too late, too early, at the same time. */
function moments(): Call[] {
  const disposed = targets
    .filter(({ on, name }) => on !== "addon" && name !== "dispose")
    .map((each) => ({
      name: `${title(each)} after dispose`,
      refused: true,
      make: (on: Subjects) => {
        on[each.on].dispose!();
        return call(each, on, each.args());
      },
    }));
  const accessors = ["memory", "backend"].map((name) => ({
    name: `engine.${name} after dispose`,
    refused: true,
    make: ({ engine }: Subjects) => [engine.dispose!(), engine[name]],
  }));
  const during = (["engine", "optimizer"] as const).map((on) => ({
    name: `${on}.dispose, twice, while a step runs`,
    refused: false,
    make: (subject: Subjects) => {
      const running = call(target(on, "step"), subject, target(on, "step").args());
      subject[on].dispose!();
      subject[on].dispose!();
      return running;
    },
  }));
  return [...disposed, ...busy(), ...accessors, ...during];
}

function busy(): Call[] {
  // What never changes can be asked for at any time.
  const always = ["parameters", "dispose"];
  return targets
    .filter(({ on }) => on !== "addon")
    .map((each) => ({
      name: `${title(each)} while a step runs`,
      refused: !always.includes(each.name),
      make: async (on: Subjects) => {
        const step = target(each.on, "step");
        const running = call(step, on, step.args());
        try {
          return await call(each, on, each.args());
        } finally {
          await running;
        }
      },
    }));
}

/** Prototypes that all objects have, with something of somebody's in them. */
function prototypes(): Call[] {
  const throws = () => {
    throw new Error("of a prototype");
  };
  const ways: Record<string, (on: Subjects) => [object, PropertyKey, PropertyDescriptor]> = {
    "then that cannot be read": () => [Object.prototype, "then", { get: throws }],
    "then that throws": () => [Object.prototype, "then", { value: throws }],
    "an Array's then that cannot be read": () => [Array.prototype, "then", { get: throws }],
    "a first item that cannot be set": () => [Array.prototype, 0, { set: throws, get: () => 0 }],
    "a constructor that cannot be read": () => [Promise.prototype, "constructor", { get: throws }],
    ...Object.fromEntries(
      ["name", "step", "id", "weights", "phases", "loss"].flatMap((name) => [
        [`${name} that cannot be set`, () => [Object.prototype, name, { set: throws }]],
        [
          `${name} that disposes when it is set`,
          (on: Subjects) => [Object.prototype, name, { set: () => [on.engine.dispose!(), on.optimizer.dispose!()] }],
        ],
      ]),
    ),
  };
  return [
    ...targets,
    { on: "engine" as const, name: "memory", args: () => [] },
    { on: "engine" as const, name: "backend", args: () => [] },
  ].flatMap((each) =>
    Object.entries(ways).map(([way, find]) => ({
      name: `${title(each)} under prototypes with ${way}`,
      refused: false,
      make: async (on: Subjects) => {
        const args = each.args();
        const [prototype, key, descriptor] = find(on);
        const before = Object.getOwnPropertyDescriptor(prototype, key);
        Object.defineProperty(prototype, key, { configurable: true, ...descriptor });
        try {
          const found = on[each.on][each.name];
          const came: unknown = typeof found === "function" ? Reflect.apply(found, on[each.on], args) : found;
          // Of an async function, `await` would read the prototypes as well.
          if (came instanceof Promise)
            await new Promise<void>(
              (resolve) =>
                void came.then(
                  () => resolve(),
                  () => resolve(),
                ),
            );
        } finally {
          if (before) Object.defineProperty(prototype, key, before);
          else Reflect.deleteProperty(prototype, key);
        }
      },
    })),
  );
}

/** Each kind with how its calls are made. */
export const kinds: Record<string, () => Call[] | Promise<Call[]>> = { values, receivers, constructors, getters, moments, prototypes };

/** What was wrong with what came of it; undefined when nothing was. */
export async function judge({ make, refused }: Call, on: Subjects): Promise<string | undefined> {
  let error: unknown;
  let failed = false;
  try {
    await make(on);
  } catch (reason) {
    failed = true;
    error = reason;
  }
  if (refused && !failed) return "was expected to be refused, and was not";
  return failed && error instanceof Error && error.message === "" ? "was refused without a word" : undefined;
}
