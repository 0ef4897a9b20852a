/**
 * Runs a template over a value, as Go's text/template does, its errors included.
 * @see https://pkg.go.dev/text/template
 */
import { CallError, FUNCTIONS, type TemplateFunction } from "./functions.ts";
import { type Command, type Node, type Pipe, show, type Word } from "./nodes.ts";
import { parse } from "./parser.ts";
import { TemplateError } from "./template-error.ts";
import { isMap, isSlice, isStruct, isTrue, print, sortedKeys, typeName, type Value } from "./value.ts";

export interface Template {
  /** @throws TemplateError */
  execute(data: Value): string;
}

export interface TemplateOptions {
  /** A key that a map hasn't is an error, as in `inspect`; else it prints as `<no value>`. */
  strictKeys?: boolean;
}

/** Iterations of all ranges together: `range 1000000000` is not worth the wait. */
const ITERATIONS_MAX = 1_000_000;

/** @throws TemplateError */
export function compileTemplate(source: string, options: TemplateOptions = {}): Template {
  const nodes = parse(source, FUNCTIONS);
  return { execute: (data) => new Execution(source, options).run(nodes, data) };
}

interface Variable {
  readonly name: string;
  value: Value;
}

interface FieldUse {
  /** Arguments, when it is to be called as a method. */
  values: (() => Value[]) | undefined;
  /** What messages call the type of what should have it. */
  type: string;
}

/** How a list of nodes was left. */
type Flow = "on" | "break" | "continue";

class Execution {
  readonly #source: string;
  readonly #strictKeys: boolean;
  #variables: Variable[] = [];
  #output = "";
  /** What errors point at. */
  #at: { position: number; text: string } = { position: 0, text: "" };
  #iterations = 0;

  constructor(source: string, { strictKeys = false }: TemplateOptions) {
    this.#source = source;
    this.#strictKeys = strictKeys;
  }

  run(nodes: readonly Node[], data: Value): string {
    this.#variables = [{ name: "$", value: data }];
    this.#list(nodes, data);
    return this.#output;
  }

  #list(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot);
      if (flow !== "on") return flow;
    }
    return "on";
  }

  #node(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case "text":
        this.#output += node.text;
        return "on";
      case "action": {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#output += print(value, true);
        return "on";
      }
      case "break":
      case "continue":
        return node.kind;
      default: {
        const scope = this.#variables.length;
        const flow = node.kind === "range" ? this.#range(node, dot) : this.#choice(node, dot);
        this.#variables.length = scope;
        return flow;
      }
    }
  }

  #choice(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: Value): Flow {
    const value = this.#pipe(node.pipe, dot);
    if (isTrue(value)) return this.#list(node.body, node.kind === "with" ? value : dot);
    return node.otherwise === undefined ? "on" : this.#list(node.otherwise, dot);
  }

  #range(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: Value): Flow {
    const value = this.#pipe(node.pipe, dot, false);
    const scope = this.#variables.length;
    let count = 0;
    for (const [key, item] of this.#entries(value, node.pipe)) {
      if (++this.#iterations > ITERATIONS_MAX)
        throw this.#error(`range over more than ${ITERATIONS_MAX} items`);
      count++;
      this.#setRangeVariables(node.pipe, key, item);
      const flow = this.#list(node.body, item);
      this.#variables.length = scope;
      if (flow === "break") break;
    }
    if (count === 0 && node.otherwise !== undefined) return this.#list(node.otherwise, dot);
    return "on";
  }

  #setRangeVariables({ variables, assigns }: Pipe, key: Value, item: Value): void {
    const values = variables.length === 2 ? [key, item] : [item];
    for (const [index, name] of variables.entries()) {
      if (assigns) this.#assign(name, values[index]);
      else this.#variables.push({ name, value: values[index] });
    }
  }

  *#entries(value: Value, pipe: Pipe): Iterable<[Value, Value]> {
    if (value === undefined || value === null) return;
    if (isSlice(value)) {
      yield* value.entries();
    } else if (isMap(value)) {
      for (const key of sortedKeys(value)) yield [key, value.get(key)];
    } else if (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))) {
      if (pipe.variables.length > 1)
        throw this.#error(`can't use ${print(value)} to iterate over more than one variable`);
      for (let index = 0; index < value; index++) yield [index, index];
    } else {
      throw this.#error(`range can't iterate over ${print(value)}`);
    }
  }

  /** @param declares false: the variables belong to the range, which sets them itself */
  #pipe(pipe: Pipe, dot: Value, declares = true): Value {
    this.#mark(pipe);
    let value: Value;
    for (const [index, command] of pipe.commands.entries()) {
      value = this.#command(command, dot, index > 0 ? [value] : []);
    }
    if (declares) {
      for (const name of pipe.variables) {
        if (pipe.assigns) this.#assign(name, value);
        else this.#variables.push({ name, value });
      }
    }
    return value;
  }

  /** @param final what comes from the command before, as the last argument; at most one */
  #command(command: Command, dot: Value, final: readonly Value[]): Value {
    const [first, ...rest] = command.words as [Word, ...Word[]];
    const hasArguments = rest.length > 0 || final.length > 0;
    const values = () => [...rest.map((word) => this.#argument(word, dot, "any")), ...final];
    switch (first.kind) {
      case "identifier":
        return this.#call(first, command, rest, dot, final);
      case "field":
      case "variable":
      case "chain":
        return this.#word(first, dot, hasArguments ? values : undefined);
      default:
        this.#mark(first);
        if (hasArguments) throw this.#error(`can't give argument to non-function ${show(first)}`);
        if (first.kind === "nil") throw this.#error("nil is not a command");
        return this.#word(first, dot, undefined);
    }
  }

  /** @param values arguments for a method; undefined when there are none */
  #word(word: Word, dot: Value, values: (() => Value[]) | undefined): Value {
    switch (word.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "bool":
      case "number":
      case "string":
        return word.value;
      case "pipe":
        return this.#pipe(word, dot);
      case "identifier":
        return this.#call(word, word, [], dot, []);
      case "field":
        this.#mark(word);
        return this.#fields(dot, word.names, values);
      case "variable": {
        this.#mark(word);
        const [name, ...names] = word.names;
        const value = this.#variables.findLast((variable) => variable.name === name)?.value;
        if (names.length === 0 && values !== undefined)
          throw this.#error(`can't give argument to non-function ${name}`);
        return this.#fields(value, names, values);
      }
      case "chain": {
        this.#mark(word);
        if (word.base.kind === "nil") throw this.#error("indirection through explicit nil in <nil>");
        const base = this.#word(word.base, dot, undefined);
        this.#mark(word);
        return this.#fields(base, word.names, values);
      }
    }
  }

  #fields(receiver: Value, names: readonly string[], values: (() => Value[]) | undefined): Value {
    let value = receiver;
    let ofMap = false;
    for (const [index, name] of names.entries()) {
      const next = this.#field(value, name, {
        values: index === names.length - 1 ? values : undefined,
        type: ofMap ? "interface {}" : typeName(value),
      });
      ofMap = isMap(value);
      value = next;
    }
    return value;
  }

  #field(receiver: Value, name: string, use: FieldUse): Value {
    if (receiver === undefined) {
      if (this.#strictKeys) throw this.#error(`nil data; no entry for key ${JSON.stringify(name)}`);
      return undefined;
    }
    if (receiver === null) throw this.#error(`nil pointer evaluating interface {}.${name}`);
    if (isMap(receiver)) {
      if (use.values !== undefined) throw this.#error(`${name} is not a method but has arguments`);
      if (this.#strictKeys && !receiver.has(name)) {
        throw this.#error(`map has no entry for key ${JSON.stringify(name)}`);
      }
      return receiver.get(name);
    }
    if (!isStruct(receiver) || !Object.hasOwn(receiver, name)) {
      throw this.#error(`can't evaluate field ${name} in type ${use.type}`);
    }
    const field = receiver[name];
    if (typeof field === "function") return field(...(use.values?.() ?? []));
    if (use.values !== undefined) {
      throw this.#error(`${name} has arguments but cannot be invoked as function`);
    }
    return field;
  }

  #call(
    name: Extract<Word, { kind: "identifier" }>,
    node: Word | Command,
    words: readonly Word[],
    dot: Value,
    final: readonly Value[],
  ): Value {
    this.#mark(name);
    const called = FUNCTIONS.get(name.name)!;
    this.#checkCount(name.name, called, words.length + final.length);
    if (name.name === "and" || name.name === "or") return this.#shortCircuit(name.name, words, dot, final);
    const values = words.map((word, index) => this.#argument(word, dot, parameterOf(called, index)));
    for (const value of final) values.push(this.#checked(value, parameterOf(called, words.length)));
    this.#mark(node);
    try {
      return called.call(...values);
    } catch (error) {
      if (error instanceof CallError) throw this.#error(`error calling ${name.name}: ${error.message}`);
      throw error;
    }
  }

  #checkCount(name: string, { parameters, variadic }: TemplateFunction, count: number): void {
    const least = variadic ? parameters.length - 1 : parameters.length;
    if (count >= least && (variadic || count === least)) return;
    throw this.#error(
      `wrong number of args for ${name}: want ${variadic ? "at least " : ""}${least} got ${count}`,
    );
  }

  #shortCircuit(name: "and" | "or", words: readonly Word[], dot: Value, final: readonly Value[]): Value {
    let value: Value;
    for (const word of words) {
      value = this.#argument(word, dot, "any");
      if (isTrue(value) === (name === "or")) return value;
    }
    return final.length > 0 ? final[0] : value;
  }

  #argument(word: Word, dot: Value, parameter: "any" | "string" | "int" | "strings"): Value {
    this.#mark(word);
    if (parameter !== "any") {
      if (word.kind === "nil") throw this.#error(`cannot assign nil to ${GO_TYPES[parameter]}`);
      const literal = { string: "string", int: "number" }[parameter as string];
      if (
        literal !== undefined &&
        ["bool", "number", "string"].includes(word.kind) &&
        word.kind !== literal
      ) {
        throw this.#error(`expected ${literal === "string" ? "string" : "integer"}; found ${show(word)}`);
      }
    }
    const value = this.#word(word, dot, undefined);
    return this.#checked(value, parameter);
  }

  #checked(value: Value, parameter: "any" | "string" | "int" | "strings"): Value {
    if (parameter === "any") return value;
    const type = GO_TYPES[parameter];
    if (value === undefined || value === null) {
      if (parameter === "strings") return [];
      throw this.#error(`invalid value; expected ${type}`);
    }
    const fits =
      parameter === "string"
        ? typeof value === "string"
        : parameter === "int"
          ? typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))
          : isSlice(value) && value.every((item) => typeof item === "string");
    if (!fits) throw this.#error(`wrong type for value; expected ${type}; got ${typeName(value)}`);
    return value;
  }

  #assign(name: string, value: Value): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable !== undefined) variable.value = value;
  }

  #mark(node: Word | Command): void {
    this.#at = { position: node.position, text: show(node) };
  }

  #error(message: string): TemplateError {
    const before = this.#source.slice(0, this.#at.position);
    const line = before.split("\n").length;
    // Go counts bytes.
    const column = new TextEncoder().encode(before.slice(before.lastIndexOf("\n") + 1)).length;
    return new TemplateError(`template: :${line}:${column}: executing "" at <${this.#at.text}>: ${message}`);
  }
}

const GO_TYPES = { string: "string", int: "int", strings: "[]string" } as const;

function parameterOf({ parameters }: TemplateFunction, index: number): "any" | "string" | "int" | "strings" {
  return parameters[Math.min(index, parameters.length - 1)]!;
}
