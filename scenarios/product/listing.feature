Feature: What stands in the catalogue

  Scenario: A product is listed once
    When product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then Listed {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    When product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then nothing happens
    When product "P1": List {title: Cup, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then refused: product.already_listed

  Scenario Outline: A listing that nobody could buy from, or see, is refused
    When product "P1": List {title: Mug, images: <images>, variants: <variants>}
    Then refused: <refusal>

    Examples:
      | images        | variants                                                | refusal                                              |
      | []            | []                                                      | product.no_variants                                  |
      | []            | [{sku: A, price: 1.00 GBP}, {sku: A, price: 2.00 GBP}] | product.duplicate_sku {sku: A}                       |
      | []            | [{sku: A, price: -0.01 GBP}]                            | product.negative_price {sku: A}                      |
      | [ftp://a/b]   | [{sku: A, price: 1.00 GBP}]                             | product.bad_image_address {address: ftp://a/b}       |
      | [51 x http://a] | [{sku: A, price: 1.00 GBP}]                           | product.too_large {field: images, max: 50}           |

  Scenario: A price is changed to another one, of a variant that there is
    Given product "P1": Listed {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then PriceChanged {sku: MUG, old: 15.00 GBP, new: 12.00 GBP}
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then nothing happens
    When product "P1": ChangePrice {sku: POT, price: 12.00 GBP}
    Then refused: product.unknown_variant {sku: POT}
    When product "P2": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then refused: product.not_listed
