/** The WebAssembly module behind libpg-query: its own entry keeps one instance for good, and cannot replace it. */
declare module "libpg-query/wasm/libpg-query.js" {
  export interface PgQueryInstance {
    /** Anew whenever the memory has grown: never keep it. */
    readonly HEAPU8: Uint8Array<ArrayBuffer>;
    readonly HEAPU32: Uint32Array<ArrayBuffer>;
    _malloc(size: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    _wasm_parse_plpgsql(text: number): number;
    _wasm_scan(text: number): number;
    _wasm_free_string(text: number): void;
  }
  const create: () => Promise<PgQueryInstance>;
  export { create as default };
}
