// Generated from schemas/ by `npm run generate`; do not edit.
import type { ParameterTable } from '../parameter-table.ts'

/** Each spelling of a supported task type, and the type it stands for. */
export const taskTypeSpellings = [["authentication","authentication"],["ping","ping"],["imageInference","imageInference"],["getResponse","getResponse"],["imageUpload","imageUpload"]] as const

/** Every task type that clients know, supported or not. */
export const knownTaskTypes = ["authentication","ping","imageInference","getResponse","getTaskDetails","imageUpload","mediaStorage","imageCaption","caption","imageBackgroundRemoval","removeBackground","imageUpscale","upscale","imageControlNetPreProcess","controlNetPreprocess","imageMasking","photoMaker","promptEnhance","modelSearch","modelUpload","vectorize","accountManagement","videoInference","audioInference","3dInference","textInference","training"] as const

/** What a task type takes. */
export const parameterTables = {
  authentication: {
    "parameters": {
      "taskType": {
        "type": "string"
      },
      "apiKey": {
        "type": "string",
        "isSecret": true
      },
      "connectionSessionUUID": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "isLenient": true
      }
    },
    "unsupported": []
  },
  ping: {
    "parameters": {
      "taskType": {
        "type": "string"
      },
      "ping": {
        "type": "boolean",
        "isLenient": true
      }
    },
    "unsupported": []
  },
  imageInference: {
    "parameters": {
      "taskType": {
        "type": "string"
      },
      "taskUUID": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255
      },
      "positivePrompt": {
        "type": "string",
        "minLength": 2,
        "maxLength": 3000
      },
      "negativePrompt": {
        "type": "string",
        "minLength": 2,
        "maxLength": 2000,
        "isAbsentWhenEmpty": true
      },
      "model": {
        "type": "string",
        "maxLength": 200,
        "expected": "an AIR of the form source:id@version"
      },
      "vae": {
        "type": "string",
        "maxLength": 200,
        "expected": "an AIR of the form source:id@version",
        "isAbsentWhenEmpty": true
      },
      "lora": {
        "type": "array",
        "parameters": {
          "model": {
            "type": "string",
            "maxLength": 200,
            "expected": "an AIR of the form source:id@version"
          },
          "weight": {
            "type": "number",
            "minimum": -4,
            "maximum": 4,
            "default": 1
          }
        }
      },
      "width": {
        "type": "integer",
        "minimum": 128,
        "maximum": 2048,
        "multipleOf": 64
      },
      "height": {
        "type": "integer",
        "minimum": 128,
        "maximum": 2048,
        "multipleOf": 64
      },
      "seedImage": {
        "type": "string",
        "expected": "the UUID of a picture, a URL, a data URI or base64",
        "isAbsentWhenEmpty": true
      },
      "strength": {
        "type": "number",
        "minimum": 0,
        "maximum": 1
      },
      "maskImage": {
        "type": "string",
        "expected": "the UUID of a picture, a URL, a data URI or base64",
        "isAbsentWhenEmpty": true
      },
      "maskMargin": {
        "type": "integer",
        "minimum": 32,
        "maximum": 128
      },
      "outpaint": {
        "type": "object",
        "parameters": {
          "top": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "right": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "bottom": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "left": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "blur": {
            "type": "integer",
            "minimum": 0,
            "maximum": 32,
            "default": 0
          }
        }
      },
      "outpainting": {
        "type": "object",
        "parameters": {
          "top": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "right": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "bottom": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "left": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1984,
            "multipleOf": 64,
            "default": 0
          },
          "blur": {
            "type": "integer",
            "minimum": 0,
            "maximum": 32,
            "default": 0
          }
        }
      },
      "inputs": {
        "type": "object",
        "parameters": {
          "seedImage": {
            "type": "string",
            "expected": "the UUID of a picture, a URL, a data URI or base64",
            "isAbsentWhenEmpty": true
          },
          "maskImage": {
            "type": "string",
            "expected": "the UUID of a picture, a URL, a data URI or base64",
            "isAbsentWhenEmpty": true
          }
        }
      },
      "steps": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100
      },
      "scheduler": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100
      },
      "seed": {
        "type": "integer",
        "minimum": 1,
        "maximum": 9223372036854776000
      },
      "CFGScale": {
        "type": "number",
        "minimum": 0,
        "maximum": 30
      },
      "clipSkip": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2,
        "default": 0
      },
      "ipAdapters": {
        "type": "array",
        "expected": "a list of at most 8 objects",
        "parameters": {
          "model": {
            "type": "string",
            "maxLength": 200,
            "expected": "an AIR of the form source:id@version"
          },
          "guideImage": {
            "type": "string",
            "expected": "the UUID of a picture, a URL, a data URI or base64",
            "isAbsentWhenEmpty": true
          },
          "weight": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 1
          }
        }
      },
      "refiner": {
        "type": "object",
        "expected": "an object",
        "parameters": {
          "model": {
            "type": "string",
            "maxLength": 200,
            "expected": "an AIR of the form source:id@version"
          },
          "startStep": {
            "type": "integer",
            "minimum": 2,
            "maximum": 100
          },
          "startStepPercentage": {
            "type": "integer",
            "minimum": 1,
            "maximum": 99
          }
        }
      },
      "promptWeighting": {
        "type": "string",
        "allowedValues": [
          "compel",
          "sdEmbeds"
        ],
        "isAnyCase": true,
        "isAbsentWhenEmpty": true
      },
      "embeddings": {
        "type": "array",
        "parameters": {
          "model": {
            "type": "string",
            "maxLength": 200,
            "expected": "an AIR of the form source:id@version"
          },
          "weight": {
            "type": "number",
            "minimum": -4,
            "maximum": 4,
            "default": 1
          }
        }
      },
      "controlNet": {
        "type": "array",
        "expected": "a list of at most 8 objects",
        "parameters": {
          "model": {
            "type": "string",
            "maxLength": 200,
            "expected": "an AIR of the form source:id@version"
          },
          "guideImage": {
            "type": "string",
            "expected": "the UUID of a picture, a URL, a data URI or base64",
            "isAbsentWhenEmpty": true
          },
          "weight": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 1
          },
          "startStep": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100
          },
          "startStepPercentage": {
            "type": "integer",
            "minimum": 0,
            "maximum": 99
          },
          "endStep": {
            "type": "integer",
            "minimum": 2,
            "maximum": 100
          },
          "endStepPercentage": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100
          },
          "controlMode": {
            "type": "string",
            "allowedValues": [
              "prompt",
              "balanced",
              "controlnet"
            ],
            "default": "balanced",
            "isAnyCase": true
          }
        }
      },
      "numberResults": {
        "type": "integer",
        "minimum": 1,
        "maximum": 20,
        "default": 1
      },
      "outputType": {
        "type": "array",
        "allowedValues": [
          "URL",
          "base64Data",
          "dataURI"
        ],
        "default": [
          "URL"
        ],
        "isList": true
      },
      "outputFormat": {
        "type": "string",
        "allowedValues": [
          "JPG",
          "PNG",
          "WEBP"
        ],
        "default": "JPG",
        "isAnyCase": true
      },
      "outputQuality": {
        "type": "integer",
        "minimum": 20,
        "maximum": 99,
        "default": 95
      },
      "deliveryMethod": {
        "type": "string",
        "allowedValues": [
          "sync",
          "async"
        ],
        "default": "sync"
      },
      "ttl": {
        "type": "integer",
        "minimum": 60,
        "maximum": 31536000
      },
      "includeCost": {
        "type": "boolean",
        "default": false
      },
      "checkNSFW": {
        "type": "boolean",
        "default": false
      },
      "safety": {
        "type": "object",
        "parameters": {
          "checkContent": {
            "type": "boolean",
            "default": false
          }
        }
      },
      "uploadEndpoint": {
        "type": "string",
        "minLength": 1,
        "maxLength": 8192,
        "isAbsentWhenEmpty": true
      }
    },
    "unsupported": [
      "lycoris",
      "webhookURL",
      "safety.mode",
      "inputs.image",
      "inputs.images",
      "inputs.mask",
      "inputs.referenceImages",
      "referenceImages",
      "acceleratorOptions",
      "acceleration",
      "advancedFeatures",
      "hiresFix",
      "watermark",
      "photoMaker",
      "instantID",
      "puLID",
      "acePlusPlus",
      "ultralytics",
      "layerDiffuse",
      "regionalPrompting",
      "resolution",
      "upscaleFactor"
    ]
  },
  getResponse: {
    "parameters": {
      "taskType": {
        "type": "string"
      },
      "taskUUID": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255
      }
    },
    "unsupported": []
  },
  imageUpload: {
    "parameters": {
      "taskType": {
        "type": "string"
      },
      "taskUUID": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255
      },
      "image": {
        "type": "string",
        "expected": "the UUID of a picture, a URL, a data URI or base64",
        "isAbsentWhenEmpty": true
      },
      "ttl": {
        "type": "integer",
        "minimum": 60,
        "maximum": 31536000
      }
    },
    "unsupported": []
  },
} satisfies Record<string, ParameterTable>
