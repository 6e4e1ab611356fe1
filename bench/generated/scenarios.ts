// Generated from schemas/ by `npm run generate`; do not edit.
/**
 * Tasks a second through the gateway, its sessions and its queue with a worker that is done at once, against a bare ws echo that parses each message.
 */
export interface GatewayMessages {
  readonly kind: 'gatewayMessages'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
  /**
   * Tasks under way, and the connections they are spread over.
   *
   * @minItems 1
   * @maxItems 20
   */
  readonly levels: {
    readonly inFlight: number
    readonly connections: number
  }[]
  /**
   * How often each side is measured.
   */
  readonly rounds: number
  readonly roundSeconds: number
  readonly warmUpSeconds: number
}

/**
 * Memory of an idle authenticated session, against an open socket of a bare ws server.
 */
export interface GatewaySessions {
  readonly kind: 'gatewaySessions'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  readonly sessions: number
}

/**
 * Connections with authentication a second, against connections with one message to a bare ws echo.
 */
export interface GatewayHandshakes {
  readonly kind: 'gatewayHandshakes'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
  /**
   * Connections of one round.
   */
  readonly handshakes: number
  /**
   * Connections that are being opened at a time.
   */
  readonly concurrency: number
  /**
   * How often each side is measured.
   */
  readonly rounds: number
}

/**
 * What the engine itself takes of a step beside the network, by the number of generations inside; the networks compute nothing and their time is left out.
 */
export interface EngineOverhead {
  readonly kind: 'engineOverhead'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Generations inside.
   *
   * @minItems 1
   * @maxItems 20
   */
  readonly crowds: readonly number[]
  readonly maxRows: number
  readonly steps: number
  readonly warmUpSteps: number
  /**
   * Pixels.
   */
  readonly width: number
  /**
   * Pixels.
   */
  readonly height: number
}

/**
 * Rows a second through the engine's step loop by rows in a run and size of the picture, against a bare loop of the runtime's `run` on the same session with the same feeds, or against an engine at the default precision.
 */
export interface EngineSteps {
  readonly kind: 'engineSteps'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * @minItems 1
   * @maxItems 20
   */
  readonly shapes: {
    readonly width: number
    readonly height: number
    /**
     * Rows of a run.
     *
     * @minItems 1
     * @maxItems 20
     */
    readonly rows: readonly number[]
  }[]
  /**
   * Setting of the engine that is measured; another one at the default precision is then the baseline.
   */
  readonly precision?: 'int8'
  /**
   * Steps of a round.
   */
  readonly steps: number
  /**
   * How often each side is measured.
   */
  readonly rounds: number
}

/**
 * How long it takes until a model's first picture, and the memory it holds.
 */
export interface EngineOpening {
  readonly kind: 'engineOpening'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Pixels.
   */
  readonly width: number
  /**
   * Pixels.
   */
  readonly height: number
}

/**
 * Where a step's time goes, from the runtime's own profile: by operator and by part of the network.
 */
export interface EngineProfile {
  readonly kind: 'engineProfile'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Pixels.
   */
  readonly width: number
  /**
   * Pixels.
   */
  readonly height: number
  readonly rows: number
  readonly steps: number
}

/**
 * A whole server under load: what it can do with so many clients that wait for their pictures, against the same requests one at a time; then arrivals that do not wait, at shares of that capacity. An application ping runs beside all of it.
 */
export interface ServerLoad {
  readonly kind: 'serverLoad'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
  /**
   * Settings of the server, as in its configuration file.
   */
  readonly settings: {
    readonly [k: string]: unknown
  }
  /**
   * Goal: the 99th percentile of the application ping.
   */
  readonly maxPingP99Ms?: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Kinds of requests, and how often each comes.
   *
   * @minItems 1
   * @maxItems 100
   */
  readonly mix: {
    readonly weight: number
    readonly task: {
      readonly [k: string]: unknown
    }
  }[]
  /**
   * Of arrivals and of the choice from the mix.
   */
  readonly seed: number
  /**
   * Clients that send their next request when they have their picture; the last number gives the capacity.
   *
   * @minItems 1
   * @maxItems 20
   */
  readonly clients: readonly number[]
  /**
   * Requests of a round.
   */
  readonly requests: number
  /**
   * How often each side is measured.
   */
  readonly rounds: number
  readonly poisson?: {
    /**
     * Arrivals a second as shares of the capacity.
     *
     * @minItems 1
     * @maxItems 10
     */
    readonly shares: readonly number[]
    readonly seconds: number
    readonly maxRequests: number
  }
}

/**
 * Images a second of a mix of requests, against the same requests sorted by kind and served one kind after the other, or against another mix; with the rows of the network's runs.
 */
export interface ServerMix {
  readonly kind: 'serverMix'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Kinds of requests, and how often each comes.
   *
   * @minItems 1
   * @maxItems 100
   */
  readonly mix: {
    readonly weight: number
    readonly task: {
      readonly [k: string]: unknown
    }
  }[]
  /**
   * Of arrivals and of the choice from the mix.
   */
  readonly seed: number
  /**
   * Settings of the server, as in its configuration file.
   */
  readonly settings: {
    readonly [k: string]: unknown
  }
  /**
   * The other mix; where absent, the same requests sorted by kind.
   *
   * @minItems 1
   * @maxItems 100
   */
  readonly baselineMix?: {
    readonly weight: number
    readonly task: {
      readonly [k: string]: unknown
    }
  }[]
  /**
   * Requests under way.
   */
  readonly clients: number
  /**
   * Requests of a round.
   */
  readonly requests: number
  /**
   * How often each side is measured.
   */
  readonly rounds: number
}

/**
 * Latency of an account that asks for one picture at a time beside another that floods the server, against the same account alone.
 */
export interface ServerFairness {
  readonly kind: 'serverFairness'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * Goal: the ratio to the baseline is at most this.
   */
  readonly maxRatio?: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Settings of the server, as in its configuration file.
   */
  readonly settings: {
    readonly [k: string]: unknown
  }
  /**
   * Parameters of an imageInference task as on the wire. A text `picture:WxH` or `mask:WxH` stands for a drawn picture of that size, as a data URI.
   */
  readonly light: {
    readonly [k: string]: unknown
  }
  /**
   * Parameters of an imageInference task as on the wire. A text `picture:WxH` or `mask:WxH` stands for a drawn picture of that size, as a data URI.
   */
  readonly flood: {
    readonly [k: string]: unknown
  }
  /**
   * Tasks that the flood keeps under way.
   */
  readonly floodTasks: number
  /**
   * Requests of the light account in a round.
   */
  readonly requests: number
  /**
   * How often each side is measured.
   */
  readonly rounds: number
}

/**
 * Other engines on the same weights in the same run, where Python has them: pictures and steps of the network alone.
 */
export interface Peers {
  readonly kind: 'peers'
  /**
   * What is measured, in a few words.
   */
  readonly title: string
  /**
   * Which runs it belongs to: a run takes the default set where it names no other.
   */
  readonly set: 'default' | 'long' | 'cuda'
  /**
   * It is stopped after this time; what it had measured until then stands.
   */
  readonly limitSeconds: number
  /**
   * `bundled`, `bundled-parts` (with eight LoRAs and a ControlNet of random weights, `local:lora-1@1` and so on, `local:control@1`), a model of random weights in a published size (`sd15`, `sd21`; with `-fp16` in half precision), or a models folder, whose first checkpoint is taken.
   */
  readonly model: string
  /**
   * Pixels.
   */
  readonly width: number
  /**
   * Pixels.
   */
  readonly height: number
  readonly steps: number
  /**
   * Guidance scale; above 1 a picture takes two rows.
   */
  readonly guidance: number
  /**
   * Pictures of a batch: 1 is one at a time.
   *
   * @minItems 1
   * @maxItems 10
   */
  readonly pictures: readonly number[]
  /**
   * How often each side is measured.
   */
  readonly rounds: number
  /**
   * @minItems 1
   * @maxItems 10
   */
  readonly engines: readonly ('pytorch-fp32' | 'pytorch-bf16' | 'pytorch-fp16' | 'openvino-f32' | 'openvino-bf16' | 'sdcpp-f16')[]
  /**
   * Goal: the ratio to the baseline is at least this.
   */
  readonly minRatio?: number
}

/** A scenario of any kind. */
export type Scenario = GatewayMessages | GatewaySessions | GatewayHandshakes | EngineOverhead | EngineSteps | EngineOpening | EngineProfile | ServerLoad | ServerMix | ServerFairness | Peers
