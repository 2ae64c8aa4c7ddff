Feature: What stands in the catalogue

  Scenario: A product is listed once
    When product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then Listed {title: Mug, category: [], images: [], variants: [{sku: MUG, price: 15.00 GBP}]}
    When product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then nothing happens
    When product "P1": List {title: Cup, variants: [{sku: MUG, price: 15.00 GBP}]}
    Then refused: product.already_listed

  Scenario Outline: A listing that nobody could buy from, or see, is refused
    When product "P1": List {title: Mug, images: <images>, variants: <variants>}
    Then refused: <refusal>

    Examples:
      | images          | variants                                               | refusal                                        |
      | []              | []                                                     | product.no_variants                            |
      | []              | [{sku: A, price: 1.00 GBP}, {sku: A, price: 2.00 GBP}] | product.duplicate_sku {sku: A}                 |
      | []              | [{sku: A, price: -0.01 GBP}]                           | product.negative_price {sku: A}                |
      | [ftp://a/b]     | [{sku: A, price: 1.00 GBP}]                            | product.bad_image_address {address: ftp://a/b} |
      | [51 x http://a] | [{sku: A, price: 1.00 GBP}]                            | product.too_large {field: images, max: 50}     |

  Scenario: A category path of nine levels helps nobody find anything
    When product "P1": List {title: Mug, category: [9 x Home], variants: [{sku: MUG, price: 15.00 GBP}]}
    Then refused: product.too_large {field: category, max: 8}
    When product "P1": List {title: Mug, category: [8 x Home], variants: [{sku: MUG, price: 15.00 GBP}]}
    Then Listed {title: Mug, ..}

  Scenario: Sizes that differ in the case of a letter are two SKUs
    When product "P1": List {title: Heart, variants: [{sku: 85123a, price: 2.55 GBP}, {sku: 85123A, price: 3.39 GBP}]}
    Then Listed {title: Heart, ..}
    And the product "P1" reads {price_from: 2.55 GBP, variants: [{sku: 85123a, ..}, {sku: 85123A, ..}], ..}

  Scenario: A sample that costs nothing may be listed
    When product "P1": List {title: Sample, variants: [{sku: SAMPLE, price: 0.00 GBP}]}
    Then Listed {variants: [{sku: SAMPLE, price: 0.00 GBP}], ..}

  Scenario: What a variant weighs, how it is taxed and how many one may buy stand in the catalogue
    When product "P5": List {title: Console, variants: [{sku: PS5, price: 449.00 GBP, tax_category: standard, weight_grams: 4500, purchase_limit: 2}]}
    Then Listed {variants: [{sku: PS5, price: 449.00 GBP, tax_category: standard, weight_grams: 4500, purchase_limit: 2}], ..}
    And the product "P5" reads {variants: [{sku: PS5, price: 449.00 GBP, weight_grams: 4500, purchase_limit: 2, ..}], ..}
